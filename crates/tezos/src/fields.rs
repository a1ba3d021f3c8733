//! Reading JSON objects whose shape depends on one of their fields.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::Value;

/// A JSON object, its fields in order.
pub type Object = serde_json::Map<String, Value>;

/// Why JSON was refused.
pub(crate) type Refused = serde_json::Error;

/// Takes a field out of an object.
pub(crate) fn take<T: DeserializeOwned>(object: &mut Object, field: &str) -> Result<T, Refused> {
    let value = object.shift_remove(field).ok_or_else(|| Refused::custom(format!("missing field `{field}`")))?;
    serde_json::from_value(value).map_err(|error| Refused::custom(format!("{field}: {error}")))
}

/// Takes a field out of an object if it is there.
pub(crate) fn take_optional<T: DeserializeOwned>(object: &mut Object, field: &str) -> Result<Option<T>, Refused> {
    match object.shift_remove(field) {
        None => Ok(None),
        Some(value) => {
            serde_json::from_value(value).map(Some).map_err(|error| Refused::custom(format!("{field}: {error}")))
        }
    }
}

/// Reads all fields of an object as a `T`.
pub(crate) fn read<T: DeserializeOwned>(object: Object) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(object))
}

/// Reads an object and hands it to `read`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(Object) -> Result<T, Refused>,
) -> Result<T, D::Error> {
    read(Object::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Renames a field, keeping its place.
pub(crate) fn rename(object: Object, from: &str, to: &str) -> Object {
    object.into_iter().map(|(key, value)| if key == from { (to.to_owned(), value) } else { (key, value) }).collect()
}

/// Whether a value is the default that is left out of JSON.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
