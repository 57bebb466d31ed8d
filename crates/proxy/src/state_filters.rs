//! `envoy.filters.http.set_metadata` and `envoy.filters.http.set_filter_state`: keep values with a stream.

use std::rc::Rc;
use std::time::Instant;

use sandgate_attributes::LifeSpan;
use sandgate_config::model::{FilterStateValue, SetFilterState, SetMetadata, SubstitutionFormat};
use sandgate_filter::{FilterCallbacks, HttpFilter, StreamInfo, dynamic_metadata, state_object};
use sandgate_formatter::FormatContext;
use sandgate_http::{Direction, HeadersStatus};

use crate::hcm::FilterFactory;

struct SetMetadataFilter {
    name: Rc<str>,
    config: Rc<SetMetadata>,
}

struct SetFilterStateFilter {
    name: Rc<str>,
    config: Rc<SetFilterState>,
}

/// What makes the filters of an entry.
pub(crate) fn set_metadata_factory(name: &str, config: &SetMetadata) -> FilterFactory {
    let (name, config) = (Rc::from(name), Rc::new(config.clone()));
    Box::new(move || Box::new(SetMetadataFilter { name: Rc::clone(&name), config: Rc::clone(&config) }))
}

/// The same.
pub(crate) fn set_filter_state_factory(name: &str, config: &SetFilterState) -> FilterFactory {
    let (name, config) = (Rc::from(name), Rc::new(config.clone()));
    Box::new(move || Box::new(SetFilterStateFilter { name: Rc::clone(&name), config: Rc::clone(&config) }))
}

/// Text of each value, with the object that it gives: all are made before one is set.
pub(crate) fn set_values(
    values: &[FilterStateValue],
    context: &FormatContext<'_>,
    life_span: LifeSpan,
) -> impl FnOnce(&mut StreamInfo) + use<> {
    let mut made = Vec::with_capacity(values.len());
    for value in values {
        let mut text = Vec::new();
        match &value.format {
            SubstitutionFormat::Text(format) => format.render(context, &mut text),
            SubstitutionFormat::Json(format) => format.render(context, &mut text),
        }
        if text.is_empty() && value.skip_if_empty {
            continue;
        }
        let key = value.object_key.clone();
        match state_object(&value.factory_key, &String::from_utf8_lossy(&text)) {
            Ok(object) => made.push((key, object, value.read_only)),
            Err(error) => log::debug!(target: "filter", "no filter state '{key}' was made: {error}"),
        }
    }
    move |info| {
        for (key, object, read_only) in made {
            if let Err(error) = info.filter_state.set(key.as_bytes(), object, !read_only, life_span) {
                log::debug!(target: "filter", "the filter state '{key}' was not set: {error}");
            }
        }
    }
}

// === impl SetMetadataFilter ===

impl HttpFilter for SetMetadataFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, _: bool) -> HeadersStatus {
        let mut info = callbacks.stream().info_mut();
        dynamic_metadata::change(&mut info.dynamic_metadata, |metadata| {
            for entry in &self.config.untyped {
                if entry.allow_overwrite || !metadata.has(&entry.namespace) {
                    metadata.merge(&entry.namespace, entry.value.clone());
                }
            }
            for entry in &self.config.typed {
                if entry.allow_overwrite || !metadata.has_typed(&entry.namespace) {
                    metadata.set_typed(&entry.namespace, entry.value.clone());
                }
            }
        });
        HeadersStatus::Continue
    }
}

// === impl SetFilterStateFilter ===

impl HttpFilter for SetFilterStateFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, _: bool) -> HeadersStatus {
        let stream = callbacks.stream();
        let set = {
            let (headers, info) = (stream.headers(Direction::Request), stream.info());
            let base = FormatContext::new(&info, stream.connection(), Instant::now());
            let context = FormatContext { request_headers: headers.as_deref(), ..base };
            set_values(&self.config.on_request_headers, &context, LifeSpan::FilterChain)
        };
        set(&mut stream.info_mut());
        if self.config.clear_route_cache {
            callbacks.clear_route_cache();
        }
        HeadersStatus::Continue
    }
}
