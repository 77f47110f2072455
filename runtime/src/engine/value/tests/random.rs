//! Random values of random types come back as they went in.

use proptest::collection::vec;
use proptest::prelude::*;

use super::guests::{T, echo_list, list, prim};
use crate::engine::value::{Signature, wit_text};

const NAMES: [&str; 5] = ["a", "b-c", "long-name", "x1", "z"];

fn types() -> impl Strategy<Value = T> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char",
            "string",
        ])
        .prop_map(prim),
        (1..=NAMES.len()).prop_map(|n| T::Enum(NAMES[..n].to_vec())),
        (1..=NAMES.len()).prop_map(|n| T::Flags(NAMES[..n].to_vec())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let maybe = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(list),
            (inner.clone(), 1..4_u32).prop_map(|(ty, n)| T::Fixed(Box::new(ty), n)),
            (
                prop::sample::select(vec!["string", "u32", "char"]),
                inner.clone()
            )
                .prop_map(|(key, value)| T::Map(Box::new(prim(key)), Box::new(value))),
            inner.clone().prop_map(|ty| T::Option(Box::new(ty))),
            vec(inner.clone(), 1..4).prop_map(T::Tuple),
            vec(inner.clone(), 1..4)
                .prop_map(|types| T::Record(NAMES.into_iter().zip(types).collect())),
            vec(maybe.clone(), 1..4)
                .prop_map(|types| T::Variant(NAMES.into_iter().zip(types).collect())),
            (maybe.clone(), maybe).prop_map(|(ok, err)| super::guests::result(ok, err)),
        ]
    })
}

fn json<V: serde::Serialize>(value: V) -> String {
    serde_json::to_string(&value).expect("JSON")
}

fn float<V: serde::Serialize + Into<f64> + Copy>(value: V) -> String {
    match value.into() {
        v if v.is_finite() => json(value),
        v if v.is_nan() => "\"NaN\"".to_owned(),
        v if v > 0.0 => "\"Infinity\"".to_owned(),
        _ => "\"-Infinity\"".to_owned(),
    }
}

fn seq(values: Vec<String>) -> String {
    format!("[{}]", values.join(","))
}

/// JSON of a value of the type, as it is written.
fn value(ty: &T) -> BoxedStrategy<String> {
    match ty {
        T::Prim("bool") => any::<bool>().prop_map(json).boxed(),
        T::Prim("s8") => any::<i8>().prop_map(json).boxed(),
        T::Prim("u8") => any::<u8>().prop_map(json).boxed(),
        T::Prim("s16") => any::<i16>().prop_map(json).boxed(),
        T::Prim("u16") => any::<u16>().prop_map(json).boxed(),
        T::Prim("s32") => any::<i32>().prop_map(json).boxed(),
        T::Prim("u32") => any::<u32>().prop_map(json).boxed(),
        T::Prim("s64") => any::<i64>().prop_map(json).boxed(),
        T::Prim("u64") => any::<u64>().prop_map(json).boxed(),
        T::Prim("f32") => any::<u32>()
            .prop_map(|bits| float(f32::from_bits(bits)))
            .boxed(),
        T::Prim("f64") => any::<u64>()
            .prop_map(|bits| float(f64::from_bits(bits)))
            .boxed(),
        T::Prim("char") => any::<char>().prop_map(json).boxed(),
        T::Prim("string") => any::<String>().prop_map(json).boxed(),
        T::Prim(other) => panic!("no values of {other}"),
        T::List(element) => vec(value(element), 0..5).prop_map(seq).boxed(),
        T::Fixed(element, n) => vec(value(element), *n as usize).prop_map(seq).boxed(),
        T::Map(key, of) => {
            let pair = (value(key), value(of)).prop_map(|(key, value)| format!("[{key},{value}]"));
            vec(pair, 0..4).prop_map(seq).boxed()
        }
        T::Tuple(types) => types
            .iter()
            .map(value)
            .collect::<Vec<_>>()
            .prop_map(seq)
            .boxed(),
        T::Record(fields) => {
            let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            let values: Vec<_> = fields.iter().map(|(_, ty)| value(ty)).collect();
            values
                .prop_map(move |values| {
                    let fields = names.iter().zip(values);
                    let fields: Vec<_> =
                        fields.map(|(name, v)| format!("\"{name}\":{v}")).collect();
                    format!("{{{}}}", fields.join(","))
                })
                .boxed()
        }
        T::Variant(cases) => {
            let cases: Vec<_> = cases
                .iter()
                .map(|(name, ty)| case(name, ty.as_ref()))
                .collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        T::Enum(names) => prop::sample::select(names.clone()).prop_map(json).boxed(),
        T::Flags(names) => prop::sample::subsequence(names.clone(), 0..=names.len())
            .prop_map(json)
            .boxed(),
        T::Option(inner) => {
            let wrapped = matches!(**inner, T::Option(_));
            let some = value(inner).prop_map(move |value| match wrapped {
                true => format!("{{\"some\":{value}}}"),
                false => value,
            });
            prop_oneof![Just("null".to_owned()), some].boxed()
        }
        T::Result(ok, err) => prop_oneof![side("ok", ok), side("err", err)].boxed(),
    }
}

fn case(name: &'static str, ty: Option<&T>) -> BoxedStrategy<String> {
    match ty {
        None => Just(json(name)).boxed(),
        Some(ty) => value(ty)
            .prop_map(move |value| format!("{{\"{name}\":{value}}}"))
            .boxed(),
    }
}

fn side(name: &'static str, ty: &Option<Box<T>>) -> BoxedStrategy<String> {
    match ty {
        None => Just(format!("{{\"{name}\":null}}")).boxed(),
        Some(ty) => case(name, Some(ty)),
    }
}

fn typed_items() -> impl Strategy<Value = (T, Vec<String>)> {
    types().prop_flat_map(|ty| {
        let items = vec(vec(value(&ty), 0..6).prop_map(seq), 1..8);
        (Just(ty), items)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back_as_they_went_in((ty, items) in typed_items()) {
        let mut guest = echo_list(&ty);
        for item in items {
            match guest.json("echo", &item) {
                Ok(out) => prop_assert_eq!(out, item),
                Err(error) => prop_assert!(false, "{item} of {ty:?}: {error:?}"),
            }
        }
    }

    /// Broken items are refused or read, and nothing else: no panic, and the guest can be called again.
    #[test]
    fn broken_items_are_refused((ty, items) in typed_items(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut guest = echo_list(&ty);
        for item in &items {
            let mut bytes = item.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let json = crate::encoding::Encoding::Json;
            match guest.call("echo", json, &bytes, json) {
                Ok(out) => prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok()),
                Err(crate::engine::value::CallError::InvalidInput(message)) => prop_assert!(!message.is_empty()),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
            let truncated = &item[..item.floor_char_boundary(at)];
            prop_assert!(guest.json("echo", truncated).is_err());
            prop_assert_eq!(&guest.json("echo", item).expect("the whole item"), item);
        }
    }

    #[test]
    fn every_type_has_wit_text(ty in types()) {
        let mut guest = echo_list(&ty);
        let signature: Signature = guest.invoker("echo").expect("supported").signature().clone();
        let text = wit_text(&signature.params[0].1);
        prop_assert_eq!(signature.to_string(), format!("func(x: {text}) -> {text}"));
        prop_assert!(text.starts_with("list<") && text.ends_with('>'));
    }
}
