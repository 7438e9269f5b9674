//! The JSON schema of configuration files: the structs that serde reads, and what [`resolve`](super::ConfigFile::resolve)
//! asks beyond their types.

use anira_traits::config::{MAX_CATCH_UP, MAX_ENGINES, MAX_EXTENT, MAX_LATE_FADE};
use anira_traits::{Error, ErrorKind, Result};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, RestrictFormats};
use serde_json::{Map, Value, json};

use super::{ConfigFile, VERSION};

impl ConfigFile {
    /// The JSON schema (draft 2020-12) of configuration files, indented; TOML has the same keys.
    ///
    /// Whatever the schema refuses is refused by [`resolve`](Self::resolve) too, at the same place, but for a JSON `null`, which
    /// is read as a key that is left out. What a schema cannot see: a name that is used twice or that no tensor has, values
    /// whose number does not fit the model, shapes of more than 2^31 elements, model files that do not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`], never seen.
    pub fn schema() -> Result<String> {
        let settings = SchemaSettings::draft2020_12()
            .with_transform(RestrictFormats::default())
            .with_transform(RecursiveTransform(without_null));
        let schema = settings.into_generator().into_root_schema_for::<Self>();
        serde_json::to_string_pretty(&schema)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }
}

/// The layouts that exist: one letter per dimension, each at most once.
const LAYOUTS: [&str; 15] =
    ["T", "NT", "TN", "CT", "TC", "NCT", "NTC", "CNT", "CTN", "TNC", "TCN", "N", "C", "NC", "CN"];

/// The file itself: ranges, what is meant by silence, and that something has to stream.
pub(super) fn file(schema: &mut Schema) {
    schema.insert("title".into(), "anira configuration".into());
    let description = "What a model's tensors mean, where its files are, and how it may be run. TOML and JSON have the same keys.";
    schema.insert("description".into(), description.into());
    let whole =
        |least: i64, most: usize, absent: i64| json!({"minimum": least, "maximum": most, "default": absent});
    let keys = json!({
        "version": {"const": VERSION},
        "sample_rate": {"minimum": 1, "maximum": 10_000_000},
        "max_inference_ms": {"minimum": 0, "maximum": 3_600_000},
        "scheduling_allowance_ms": {"default": 0, "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 3_600_000},
            {"const": "auto", "type": "string"},
        ]},
        "warm_up": whole(0, 100_000, 0),
        "engines": whole(1, MAX_ENGINES, 1),
        "blocking_ratio": whole(0, 1, 0),
        "priority": {"minimum": i32::MIN, "maximum": i32::MAX, "default": 0},
        "max_catch_up": whole(0, MAX_CATCH_UP, 4),
        "align_outputs": {"default": false},
        "late_policy": {"default": "silence"},
        "late_fade": whole(0, MAX_LATE_FADE, 64),
        "pre_roll": whole(0, MAX_EXTENT, 0),
        "lead_in": extent(0),
        "skip_silence": {"default": false},
    });
    extend(schema, keys);
    let has = |table: &str, role: &str| {
        let tensor = json!({"properties": {"role": {"const": role}}, "required": ["role"]});
        json!({"properties": {table: {"contains": tensor}}, "required": [table]})
    };
    // At least one tensor is a stream; inferences of a model with state run one after the other.
    schema.insert("anyOf".into(), json!([has("input", "stream"), has("output", "stream")]));
    schema.insert("if".into(), has("input", "state"));
    schema.insert("then".into(), json!({"properties": {"engines": {"maximum": 1}}}));
}

/// `[hop_range]`.
pub(super) fn range(schema: &mut Schema) {
    let keys = json!({
        "from": extent(1),
        "to": extent(1),
        "multiple": {"minimum": 1, "maximum": MAX_EXTENT, "default": 1},
        "shortest_takes_ms": {"minimum": 0, "maximum": 3_600_000},
    });
    extend(schema, keys);
}

/// `[engine.NAME]`.
pub(super) fn engine(schema: &mut Schema) {
    extend(schema, json!({"file": {"minLength": 1}}));
}

/// `[engine.NAME.input.TENSOR]`.
pub(super) fn place(schema: &mut Schema) {
    extend(schema, places());
}

/// `[[input]]`.
pub(super) fn input(schema: &mut Schema) {
    extend(schema, places());
    let keys = json!({
        "name": {"minLength": 1},
        "hop": extent(1),
        "context": extent(0),
        "channels": extent(1),
        "default": {"default": 0, "minItems": 1},
        "from": {"minLength": 1},
        "values": {"minItems": 1},
    });
    extend(schema, keys);
    let roles = [
        role("stream", &["hop"], &["default", "from", "initial", "values"]),
        role("parameter", &[], &["hop", "context", "channels", "layout", "from", "initial", "values"]),
        role("state", &["from"], &["hop", "context", "channels", "layout", "default", "values"]),
        role(
            "constant",
            &["values"],
            &["hop", "context", "channels", "layout", "default", "from", "initial"],
        ),
    ];
    schema.insert("allOf".into(), json!(roles));
}

/// `[[output]]`.
pub(super) fn output(schema: &mut Schema) {
    extend(schema, places());
    let keys = json!({
        "name": {"minLength": 1},
        "hop": extent(1),
        "channels": extent(1),
        "latency": zero_unless_set(),
        "declared_latency": extent(0),
        "decay": zero_unless_set(),
    });
    extend(schema, keys);
    let of_streams = ["hop", "channels", "latency", "declared_latency", "decay", "layout"];
    let roles =
        [role("stream", &["hop"], &[]), role("parameter", &[], &of_streams), role("state", &[], &of_streams)];
    schema.insert("allOf".into(), json!(roles));
}

/// `shape` and `layout`, wherever they stand.
fn places() -> Value {
    let extents = json!({"type": "integer", "minimum": 1, "maximum": 1u64 << 31});
    json!({"shape": {"items": extents}, "layout": {"enum": LAYOUTS}})
}

fn extent(least: usize) -> Value {
    json!({"minimum": least, "maximum": MAX_EXTENT})
}

fn zero_unless_set() -> Value {
    json!({"minimum": 0, "maximum": MAX_EXTENT, "default": 0})
}

/// A tensor of this role has these keys and cannot have those.
fn role(role: &str, needed: &[&str], foreign: &[&str]) -> Value {
    let foreign: Map<String, Value> =
        foreign.iter().map(|key| ((*key).to_owned(), Value::Bool(false))).collect();
    json!({
        "if": {"properties": {"role": {"const": role}}, "required": ["role"]},
        "then": {"required": needed, "properties": foreign},
    })
}

/// Adds to each of these properties what its value says, over what is there.
fn extend(schema: &mut Schema, keys: Value) {
    let Value::Object(keys) = keys else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (key, more) in keys {
        // A test holds each of these names against the structs.
        if let (Some(Value::Object(property)), Value::Object(more)) = (properties.get_mut(&key), more) {
            property.extend(more);
        }
    }
}

/// An optional key is left out, not null: TOML has no null, and an infinite number in TOML would pass for one.
fn without_null(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = &mut types[..] {
            let one = one.take();
            schema.insert("type".into(), one);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(one)] = &mut choices[..] {
        let one = std::mem::take(one);
        schema.remove("anyOf");
        for (key, value) in one {
            schema.entry(key).or_insert(value);
        }
    }
}
