//! Which functions a guest's frames are in.

use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use crate::{Frame, demangle};

/// The functions at these offsets of a module's bytes, by their names in it. `shift` is added to the offsets that are told.
pub(super) fn functions_at(code: &[u8], offsets: &[u32], shift: u32) -> Vec<Frame> {
    let mut imported = 0_u32;
    let mut defined = 0_u32;
    let mut frames: Vec<(u32, Option<&str>)> = offsets.iter().map(|_| (u32::MAX, None)).collect();
    // A module that V8 has compiled can be read.
    for payload in Parser::new(0).parse_all(code).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(reader) => {
                let imports = reader.into_imports().map_while(Result::ok);
                let count = imports.filter(|import| matches!(import.ty, TypeRef::Func(_))).count();
                imported = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                for (frame, offset) in frames.iter_mut().zip(offsets) {
                    if usize::try_from(*offset).is_ok_and(|offset| range.contains(&offset)) {
                        frame.0 = imported.saturating_add(defined);
                    }
                }
                defined = defined.saturating_add(1);
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for map in names.into_iter().map_while(Result::ok) {
                        let Name::Function(map) = map else { continue };
                        for naming in map.into_iter().map_while(Result::ok) {
                            frames
                                .iter_mut()
                                .filter(|frame| frame.0 == naming.index)
                                .for_each(|frame| frame.1 = Some(naming.name));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let frames = frames.into_iter().zip(offsets);
    frames.map(|((index, name), offset)| demangle::frame(Some(offset.wrapping_add(shift)), index, name)).collect()
}
