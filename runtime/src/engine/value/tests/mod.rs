//! Components written for one behaviour each, and a generator of components that give back what they are given.

mod arguments;
mod guests;
mod lies;
mod mapping;
mod messages;
mod random;
mod signatures;
mod speed;

use std::sync::OnceLock;

use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Config, Engine, Store};

use super::{CallError, Invoker};
use crate::encoding::Encoding;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.wasm_component_model_map(true);
        config.wasm_component_model_fixed_length_lists(true);
        Engine::new(&config).expect("an engine")
    })
}

/// An instance of a component given as text.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(wat: &str) -> Guest {
        let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
        let component = Component::new(engine(), bytes).expect("a component");
        let mut store = Store::new(engine(), ());
        store.set_hostcall_fuel(1 << 32);
        let instance = Linker::new(engine())
            .instantiate(&mut store, &component)
            .expect("an instance");
        Guest { store, instance }
    }

    fn invoker(&mut self, name: &str) -> Result<Invoker, super::Unsupported> {
        let func = self
            .instance
            .get_func(&mut self.store, name)
            .expect("the function is exported");
        Invoker::new(&self.store, func)
    }

    fn call(
        &mut self,
        name: &str,
        input: Encoding,
        item: &[u8],
        output: Encoding,
    ) -> Result<Vec<u8>, CallError> {
        let invoker = self.invoker(name).expect("the function is supported");
        // What is there already must stay: results are appended.
        let mut out = b"before ".to_vec();
        let result = invoker.call(&mut self.store, input, item, output, &mut out);
        let appended = out.split_off(7);
        assert_eq!(out, b"before ");
        match result {
            Ok(()) => Ok(appended),
            Err(error) => {
                assert_eq!(appended, b"", "a failed call left output behind");
                Err(error)
            }
        }
    }

    /// Calls with JSON, for JSON.
    fn json(&mut self, name: &str, item: &str) -> Result<String, CallError> {
        self.call(name, Encoding::Json, item.as_bytes(), Encoding::Json)
            .map(|bytes| String::from_utf8(bytes).expect("JSON is UTF-8"))
    }

    /// What is wrong with an item.
    fn refused(&mut self, name: &str, item: &str) -> String {
        match self.json(name, item) {
            Err(CallError::InvalidInput(message)) => message,
            other => panic!("{item} is not refused: {other:?}"),
        }
    }
}
