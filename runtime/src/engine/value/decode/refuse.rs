//! What the readers of JSON refuse, written once.

/// Visitor methods that refuse kinds of JSON which a type never is, by the visitor's own `mismatch`.
macro_rules! refuse {
    ($($kind:ident)*) => { $(refuse!(@$kind);)* };
    (@null) => {
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Err(self.mismatch("null"))
        }
    };
    (@bool) => {
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Err(self.mismatch(value))
        }
    };
    (@numbers) => {
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Err(self.mismatch(format_args!("number {value:?}")))
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Err(self.mismatch(format_args!("number {value:?}")))
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Err(self.mismatch(format_args!("number {value:?}")))
        }
    };
    (@text) => {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Err(self.mismatch(format_args!("string {}", $crate::engine::value::path::quote(text))))
        }
    };
    (@array) => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.mismatch("an array"))
        }
    };
    (@object) => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.mismatch("an object"))
        }
    };
}
