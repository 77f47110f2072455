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
