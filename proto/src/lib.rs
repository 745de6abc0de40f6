//! The wire: generated from `breakglass/v1/*.proto`, where every field says its unit, its limit
//! and who sets it. Nothing is decided here.

/// Package `breakglass.v1`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    unused_qualifications,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("breakglass.v1");
}

/// The compiled `.proto` files (an encoded `FileDescriptorSet`), for the reflection service and
/// for the test that knows every call.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Binary metadata entry that carries an encoded [`v1::RefusalDetail`] beside a status.
pub const REFUSAL_METADATA: &str = "breakglass-refusal-bin";
