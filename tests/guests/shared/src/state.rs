//! What outlives an item, and what is many for one.

use std::sync::OnceLock;

use wasmpool_guest::emit;

use crate::Outcome;

static MODEL: OnceLock<Vec<f64>> = OnceLock::new();

pub fn init(model: Vec<f64>) -> Outcome<()> {
    let set = MODEL.set(model);
    set.map_err(|_| "this instance has a model already".into())
}

pub fn use_model(place: usize) -> Outcome<f64> {
    let model = MODEL.get().ok_or("this instance has no model")?;
    let number = model.get(place);
    Ok(*number.ok_or_else(|| format!("the model has {} numbers", model.len()))?)
}

pub fn emit_many(count: u64, bytes: usize) -> Outcome<u64> {
    let value = "x".repeat(bytes);
    for _ in 0..count {
        emit(&value)?;
    }
    Ok(count)
}
