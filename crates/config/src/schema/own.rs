//! The messages that are Sandgate's own, as descriptors. The build script generates their types from the same text.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, OneofDescriptorProto};

/// Fields of `sandgate.v1.WasmLimits`: numbers that can be left out, then times.
const NUMBERS: [&str; 15] = [
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
];
const TIMES: [&str; 2] = ["callback_cpu", "start_cpu"];

/// `sandgate/v1/limits.proto`.
pub(crate) fn file() -> FileDescriptorProto {
    let mut number = 0;
    let mut oneofs = Vec::new();
    let mut fields = Vec::new();
    for name in NUMBERS {
        number += 1;
        fields.push(FieldDescriptorProto {
            r#type: Some(Type::Uint64 as i32),
            oneof_index: Some(number - 1),
            proto3_optional: Some(true),
            ..field(name, number)
        });
        oneofs.push(OneofDescriptorProto { name: Some(format!("_{name}")), options: None });
    }
    for name in TIMES {
        number += 1;
        fields.push(FieldDescriptorProto {
            r#type: Some(Type::Message as i32),
            type_name: Some(".google.protobuf.Duration".to_owned()),
            ..field(name, number)
        });
    }
    FileDescriptorProto {
        name: Some("sandgate/v1/limits.proto".to_owned()),
        package: Some("sandgate.v1".to_owned()),
        dependency: vec!["google/protobuf/duration.proto".to_owned()],
        message_type: vec![DescriptorProto {
            name: Some("WasmLimits".to_owned()),
            field: fields,
            oneof_decl: oneofs,
            ..DescriptorProto::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn field(name: &str, number: i32) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional as i32),
        ..FieldDescriptorProto::default()
    }
}
