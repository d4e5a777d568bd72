//! The bridge between W3C trace context, which travels in headers and envelopes, and the spans of this process.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tocsin_shared::TraceContext;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetrySpanExt as _, SetParentError};

/// Makes `span`, which must not have been entered yet, part of the trace that `parent` belongs to. Without a tracer,
/// nothing happens.
pub fn continue_from(span: &Span, parent: TraceContext) {
    let context = SpanContext::new(
        TraceId::from_bytes(parent.trace_id().to_be_bytes()),
        SpanId::from_bytes(parent.span_id().to_be_bytes()),
        TraceFlags::new(parent.flags()),
        true,
        TraceState::default(),
    );
    let set = span.set_parent(Context::new().with_remote_span_context(context));
    debug_assert!(!matches!(set, Err(SetParentError::AlreadyStarted)), "a span that was entered has its trace already");
}

/// The context that names `span` as the parent of what follows; `otherwise` when no tracer runs.
#[must_use]
pub fn context_of(span: &Span, otherwise: TraceContext) -> TraceContext {
    if span.is_disabled() {
        return otherwise;
    }
    let context = span.context();
    let span_ref = context.span();
    let inner = span_ref.span_context();
    if !inner.is_valid() {
        return otherwise;
    }
    TraceContext::new(
        u128::from_be_bytes(inner.trace_id().to_bytes()),
        u64::from_be_bytes(inner.span_id().to_bytes()),
        inner.trace_flags().to_u8(),
    )
}
