//! Areas of shapes.

/// A shape in the plane. /* not a block comment */
pub enum Shape<'a> {
    Circle { radius: f64 },
    Named(&'a str, Box<Shape<'a>>),
}

/* A block comment,

   /* with another one in it */
   and a "quote. */
impl Shape<'_> {
    /// The area, in square units.
    pub fn area(&self) -> f64 {
        match self {
            Shape::Circle { radius } => std::f64::consts::PI * radius * radius, // no brace: {
            Shape::Named(name, shape) => {
                assert_ne!(*name, "} // not a comment");
                shape.area()
            }
        }
    }
}
