//! The sun and its four largest planets, as in the n-body program of the Computer Language Benchmarks Game.

use std::array;
use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The sun's mass, in units in which lengths are astronomical units and times years.
const SOLAR_MASS: f64 = 4.0 * PI * PI;
const DAYS_PER_YEAR: f64 = 365.24;
const BODIES: usize = 5;

type Vector = [f64; 3];

fn add(a: Vector, b: Vector, times: f64) -> Vector {
    array::from_fn(|axis| a[axis] + b[axis] * times)
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[derive(Clone, Copy, Debug)]
struct Body {
    position: Vector,
    velocity: Vector,
    mass: f64,
}

/// A run: so many steps of such a length.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How often the bodies are advanced.
    pub steps: u32,
    /// By how much each time, in years.
    #[serde(default = "default_step")]
    pub step: f64,
}

fn default_step() -> f64 {
    0.01
}

/// The total energy of the bodies, which nature keeps constant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Energy {
    /// Before the first step.
    pub before: f64,
    /// After the last.
    pub after: f64,
    /// By what part of itself it has changed.
    pub drift: f64,
}

/// Advances the bodies, and tells the energy before and after it.
///
/// Only additions, multiplications, divisions and square roots are used, which every machine rounds alike.
///
/// # Errors
/// If the length of a step is no number.
pub fn energy(run: Run) -> Result<Energy, String> {
    if !run.step.is_finite() {
        return Err(format!("a step of {} years", run.step));
    }
    let mut bodies = bodies();
    let before = energy_of(&bodies);
    for _ in 0..run.steps {
        advance(&mut bodies, run.step);
    }
    let after = energy_of(&bodies);
    Ok(Energy {
        before,
        after,
        drift: (after - before) / before,
    })
}

/// One step of the symplectic Euler method: velocities first, then positions.
fn advance(bodies: &mut [Body; BODIES], step: f64) {
    for i in 0..BODIES {
        for j in i + 1..BODIES {
            let apart = add(bodies[i].position, bodies[j].position, -1.0);
            let square = dot(apart, apart);
            let pull = step / (square * square.sqrt());
            bodies[i].velocity = add(bodies[i].velocity, apart, -bodies[j].mass * pull);
            bodies[j].velocity = add(bodies[j].velocity, apart, bodies[i].mass * pull);
        }
    }
    for body in bodies {
        body.position = add(body.position, body.velocity, step);
    }
}

fn energy_of(bodies: &[Body; BODIES]) -> f64 {
    let mut energy = 0.0;
    for (i, body) in bodies.iter().enumerate() {
        energy += body.mass * dot(body.velocity, body.velocity) / 2.0;
        for other in &bodies[i + 1..] {
            let apart = add(body.position, other.position, -1.0);
            energy -= body.mass * other.mass / dot(apart, apart).sqrt();
        }
    }
    energy
}

/// Sun, Jupiter, Saturn, Uranus and Neptune, with the digits of the benchmark game, in a frame in which their momenta add
/// up to nothing.
#[expect(clippy::excessive_precision)]
fn bodies() -> [Body; BODIES] {
    let body = |position, velocity_a_day: Vector, mass| Body {
        position,
        velocity: velocity_a_day.map(|part| part * DAYS_PER_YEAR),
        mass: mass * SOLAR_MASS,
    };
    let mut bodies = [
        body([0.0; 3], [0.0; 3], 1.0),
        body(
            [
                4.84143144246472090e+00,
                -1.16032004402742839e+00,
                -1.03622044471123109e-01,
            ],
            [
                1.66007664274403694e-03,
                7.69901118419740425e-03,
                -6.90460016972063023e-05,
            ],
            9.54791938424326609e-04,
        ),
        body(
            [
                8.34336671824457987e+00,
                4.12479856412430479e+00,
                -4.03523417114321381e-01,
            ],
            [
                -2.76742510726411899e-03,
                4.99852801234917238e-03,
                2.30417297573763929e-05,
            ],
            2.85885980666130812e-04,
        ),
        body(
            [
                1.28943695621391310e+01,
                -1.51111514016986312e+01,
                -2.23307578892655734e-01,
            ],
            [
                2.96460137564761618e-03,
                2.37847173959480950e-03,
                -2.96589568540237556e-05,
            ],
            4.36624404335156298e-05,
        ),
        body(
            [
                1.53796971148509165e+01,
                -2.59193146099879641e+01,
                1.79258772950371181e-01,
            ],
            [
                2.68067772490389322e-03,
                1.62824170038242295e-03,
                -9.51592254519715870e-05,
            ],
            5.15138902046611451e-05,
        ),
    ];
    let momentum = bodies
        .iter()
        .fold([0.0; 3], |sum, body| add(sum, body.velocity, body.mass));
    bodies[0].velocity = momentum.map(|part| -part / SOLAR_MASS);
    bodies
}

wasmpool_guest::tasks! {
    /// Advances sun and planets: {"steps"}, and optionally "step", in years. The result is their total energy "before" and
    /// "after", and its "drift", relative to the energy.
    energy,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the benchmark game publishes for 1000 steps.
    #[test]
    fn the_published_energies() {
        let run = energy(Run {
            steps: 1000,
            step: 0.01,
        });
        let run = run.unwrap();
        assert_eq!(format!("{:.9}", run.before), "-0.169075164");
        assert_eq!(format!("{:.9}", run.after), "-0.169087605");
    }

    #[test]
    fn momentum_stays_nothing() {
        let mut bodies = bodies();
        for _ in 0..1000 {
            advance(&mut bodies, 0.01);
        }
        let momentum = bodies
            .iter()
            .fold([0.0; 3], |sum, body| add(sum, body.velocity, body.mass));
        assert!(dot(momentum, momentum).sqrt() < 1e-14, "{momentum:?}");
    }

    #[test]
    fn a_step_is_a_number() {
        assert!(
            energy(Run {
                steps: 1,
                step: f64::NAN
            })
            .is_err()
        );
    }
}
