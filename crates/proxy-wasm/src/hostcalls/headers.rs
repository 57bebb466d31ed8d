//! Header maps. Names and values are text in half of the functions, which panic on what is not UTF-8.

use sandgate_abi as abi;

use super::{ask, ask_for, or_none, text};
use crate::instance::fail;
use crate::map;
use crate::types::{Bytes, MapType, Status};

fn of(map: MapType) -> Result<abi::MapType, abi::Status> {
    abi::MapType::from_u32(map as u32).ok_or(abi::Status::BadArgument)
}

/// All names and values, in order.
///
/// # Errors
/// None.
pub fn get_map(map_type: MapType) -> Result<Vec<(String, String)>, Status> {
    Ok(get_map_bytes(map_type)?.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// The same with values that need not be text.
///
/// # Errors
/// None.
pub fn get_map_bytes(map_type: MapType) -> Result<Vec<(String, Bytes)>, Status> {
    let ((), bytes) = ask_for("get_map", &[], |host, out| host.get_header_map_pairs(of(map_type)?, out))?;
    let bytes = bytes.unwrap_or_default();
    let pairs = map::deserialized(&bytes).unwrap_or_else(|| fail("the host's map is malformed"));
    Ok(pairs.into_iter().map(|(name, value)| (text(name.to_vec()), value.to_vec())).collect())
}

/// Replaces all names and values.
///
/// # Errors
/// None.
pub fn set_map(map_type: MapType, map: Vec<(&str, &str)>) -> Result<(), Status> {
    set(map_type, &map)
}

/// The same with values that need not be text.
///
/// # Errors
/// None.
pub fn set_map_bytes(map_type: MapType, map: Vec<(&str, &[u8])>) -> Result<(), Status> {
    set(map_type, &map)
}

fn set<V: AsRef<[u8]>>(map_type: MapType, map: &[(&str, V)]) -> Result<(), Status> {
    let pairs = map::serialized(map);
    ask("set_map", &[], |host| host.set_header_map_pairs(of(map_type)?, &pairs))
}

/// The value of a name, or the values joined by commas.
///
/// # Errors
/// None.
pub fn get_map_value(map_type: MapType, key: &str) -> Result<Option<String>, Status> {
    Ok(get_map_value_bytes(map_type, key)?.map(text))
}

/// The same with a value that need not be text.
///
/// # Errors
/// None.
pub fn get_map_value_bytes(map_type: MapType, key: &str) -> Result<Option<Bytes>, Status> {
    let result = ask_for("get_map_value", &[Status::NotFound], |host, out| {
        host.get_header_map_value(of(map_type)?, key.as_bytes(), out)
    });
    Ok(or_none(result, Status::NotFound)?.map(|((), value)| value.unwrap_or_default()))
}

/// Takes a name away, with all its values.
///
/// # Errors
/// None.
pub fn remove_map_value(map_type: MapType, key: &str) -> Result<(), Status> {
    ask("remove_map_value", &[], |host| host.remove_header_map_value(of(map_type)?, key.as_bytes()))
}

/// Sets the one value of a name, or takes it away.
///
/// # Errors
/// None.
pub fn set_map_value(map_type: MapType, key: &str, value: Option<&str>) -> Result<(), Status> {
    set_map_value_bytes(map_type, key, value.map(str::as_bytes))
}

/// The same with a value that need not be text.
///
/// # Errors
/// None.
pub fn set_map_value_bytes(map_type: MapType, key: &str, value: Option<&[u8]>) -> Result<(), Status> {
    match value {
        Some(value) => {
            ask("set_map_value", &[], |host| host.replace_header_map_value(of(map_type)?, key.as_bytes(), value))
        }
        None => remove_map_value(map_type, key),
    }
}

/// Adds a value to those of a name.
///
/// # Errors
/// None.
pub fn add_map_value(map_type: MapType, key: &str, value: &str) -> Result<(), Status> {
    add_map_value_bytes(map_type, key, value.as_bytes())
}

/// The same with a value that need not be text.
///
/// # Errors
/// None.
pub fn add_map_value_bytes(map_type: MapType, key: &str, value: &[u8]) -> Result<(), Status> {
    ask("add_map_value", &[], |host| host.add_header_map_value(of(map_type)?, key.as_bytes(), value))
}
