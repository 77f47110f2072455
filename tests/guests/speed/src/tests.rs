//! Each task, once.

use wasmpool_guest::testing::Shared;

use super::*;

#[test]
fn messages_are_put_got_and_sent_back() {
    let shared = Shared::new().queue("a").queue("b");
    shared.within(|| {
        put_many("a", 3, 8).unwrap();
        echo_queue("a", "b", 2).unwrap();
        assert_eq!(get_many("b", 2).unwrap(), 16);
        assert_eq!(get_many("a", 1).unwrap(), 8);
    });
    let shared = Shared::new().pipe("here", "there");
    shared.within(|| {
        let here = PipeEnd::open("here").unwrap();
        here.send(&[1]).unwrap();
        here.finish();
        echo_pipe("there").unwrap();
        assert_eq!(here.receive(), Ok(vec![1]));
    });
}

#[test]
fn small_operations_are_made() {
    let shared = Shared::new()
        .lock("lock")
        .value("value", 40_u64)
        .buffer("buffer", [1; 4096]);
    shared.within(|| {
        lock_many("lock", 2).unwrap();
        add_many("value", 2).unwrap();
        assert_eq!(Value::<u64>::open("value").unwrap().get(), 42);
        assert_eq!(read_many("buffer", 2, 4096).unwrap(), 2);
        write_many("buffer", 1, 4096).unwrap();
        assert_eq!(read_many("buffer", 1, 4096).unwrap(), 7);
        assert_eq!(attach_times("buffer", 2, 4096).unwrap(), 14);
    });
}

#[test]
fn numbers_are_summed_and_matrices_multiplied() {
    let shared = Shared::new()
        .array("numbers", &[u64::MAX, 2, 3, 4])
        .array("a", &[1.0, 2.0, 3.0, 4.0])
        .array("b", &[5.0, 6.0, 7.0, 8.0])
        .array("product", &[0.0; 4]);
    shared.within(|| {
        assert_eq!(sum("numbers", 0, 4, 1).unwrap(), 8);
        assert_eq!(sum("numbers", 1, 3, 2).unwrap(), 5);
        multiply("a", "b", "product", 2, 1, 2).unwrap();
        multiply("a", "b", "product", 2, 0, 1).unwrap();
        let product = wasmpool_guest::buffer::Array::<f64>::open("product").unwrap();
        assert_eq!(product.read_all().unwrap(), [19.0, 22.0, 43.0, 50.0]);
    });
}

#[test]
fn kernels_do_what_they_say() {
    let hex = |text: &str| -> String {
        let digest = kernels::digest(text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(
        hex("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    // Of the length that takes a block more.
    assert_eq!(
        hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
    for text in ["", "a", "aaaaaaaaaaaaaaaaaaaa", "one two one two one three"] {
        let packed = kernels::pack(text.as_bytes());
        assert_eq!(kernels::unpack(&packed).as_deref(), Some(text.as_bytes()));
    }
    let text = br#"{"a": [1.5, -2e3, true, null], "b": "x\u00e9\n"}"#;
    let mut parser = kernels::Parser { text, at: 0 };
    let Some(kernels::Value::Map(map)) = parser.value(0) else {
        panic!("it is a map");
    };
    use kernels::Value::{Bool, List, Null, Number, Text};
    let list = List(vec![Number(1.5), Number(-2e3), Bool(true), Null]);
    assert_eq!(map[0], ("a".into(), list));
    assert_eq!(map[1], ("b".into(), Text("x\u{e9}\n".into())));
}

#[test]
fn every_kernel_depends_on_its_seed() {
    for name in kernels::KERNELS {
        let (one, two) = (compute(name, 1).unwrap(), compute(name, 2).unwrap());
        assert!(one != two && one != 0 && two != 0, "{name}");
    }
    assert!(compute("none", 1).is_err());
}
