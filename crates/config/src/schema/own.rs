//! The messages that are Sandgate's own, as descriptors. The build script generates their types from the same text.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    OneofDescriptorProto,
};

/// Fields of `sandgate.v1.WasmLimits`: numbers that can be left out, then times.
const NUMBERS: [&str; 17] = [
    "memory_bytes",
    "shared_data_bytes",
    "queue_bytes",
    "queues",
    "metrics",
    "metric_name_bytes",
    "metric_ids",
    "log_line_bytes",
    "log_bytes_per_second",
    "property_bytes",
    "body_bytes",
    "callouts",
    "grpc_queue_bytes",
    "uncompressed_bytes",
    "expression_bytes",
    "table_elements",
    "instances",
];
const TIMES: [&str; 3] = ["callback_cpu", "start_cpu", "stream_cpu"];
/// Fields of `sandgate.v1.WasmPluginSettings` that say whose settings these are.
const SELECTORS: [&str; 3] = ["name", "root_id", "vm_id"];

/// `sandgate/v1/limits.proto`.
pub(crate) fn file() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("sandgate/v1/limits.proto".to_owned()),
        package: Some("sandgate.v1".to_owned()),
        dependency: vec!["google/protobuf/duration.proto".to_owned()],
        message_type: vec![limits(), plugins(), settings()],
        enum_type: vec![enumeration("WasmIsolation", &["ISOLATION_UNSPECIFIED", "VM", "STREAM"])],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

/// `WasmLimits`.
fn limits() -> DescriptorProto {
    let mut message = Builder::new("WasmLimits");
    for name in NUMBERS {
        message.optional(name, Type::Uint64);
    }
    for name in TIMES {
        message.message(name, ".google.protobuf.Duration", Label::Optional);
    }
    message.0
}

/// `WasmPlugins`.
fn plugins() -> DescriptorProto {
    let mut message = Builder::new("WasmPlugins");
    message.message("plugins", ".sandgate.v1.WasmPluginSettings", Label::Repeated);
    message.0
}

/// `WasmPluginSettings`.
fn settings() -> DescriptorProto {
    let mut message = Builder::new("WasmPluginSettings");
    for name in SELECTORS {
        message.optional(name, Type::String);
    }
    message.message("limits", ".sandgate.v1.WasmLimits", Label::Optional);
    let isolation = message.field("isolation", Type::Enum);
    isolation.type_name = Some(".sandgate.v1.WasmIsolation".to_owned());
    message.0
}

fn enumeration(name: &str, values: &[&str]) -> EnumDescriptorProto {
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: (0..)
            .zip(values)
            .map(|(number, value)| EnumValueDescriptorProto {
                name: Some((*value).to_owned()),
                number: Some(number),
                options: None,
            })
            .collect(),
        ..EnumDescriptorProto::default()
    }
}

/// A message whose fields are numbered as they come.
struct Builder(DescriptorProto);

impl Builder {
    fn new(name: &str) -> Self {
        Self(DescriptorProto { name: Some(name.to_owned()), ..DescriptorProto::default() })
    }

    fn field(&mut self, name: &str, kind: Type) -> &mut FieldDescriptorProto {
        let number = self.0.field.len() as i32 + 1;
        self.0.field.push_mut(FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            label: Some(Label::Optional as i32),
            r#type: Some(kind as i32),
            ..FieldDescriptorProto::default()
        })
    }

    /// A scalar that can be left out.
    fn optional(&mut self, name: &str, kind: Type) {
        let oneof = self.0.oneof_decl.len() as i32;
        self.0.oneof_decl.push(OneofDescriptorProto { name: Some(format!("_{name}")), options: None });
        let field = self.field(name, kind);
        field.oneof_index = Some(oneof);
        field.proto3_optional = Some(true);
    }

    fn message(&mut self, name: &str, kind: &str, label: Label) {
        let field = self.field(name, Type::Message);
        field.type_name = Some(kind.to_owned());
        field.label = Some(label as i32);
    }
}
