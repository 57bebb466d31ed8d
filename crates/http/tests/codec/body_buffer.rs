//! The body buffer against a plain vector.

use bytes::Bytes;
use sandgate_http::BodyBuffer;

fn whole(buffer: &BodyBuffer) -> Vec<u8> {
    buffer.segments().flatten().copied().collect()
}

fn sliced(buffer: &BodyBuffer, start: usize, max: usize) -> Vec<u8> {
    buffer.slice(start, max).flatten().collect()
}

#[test]
fn the_buffer_does_what_a_vector_does() {
    let mut seed = 1u32;
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize % limit
    };
    let mut buffer = BodyBuffer::new();
    let mut model: Vec<u8> = Vec::new();
    for _ in 0..2000 {
        let piece: Vec<u8> = (0..random(9)).map(|byte| byte as u8 + b'a').collect();
        match random(6) {
            0 | 1 => {
                buffer.push(Bytes::from(piece.clone()));
                model.extend(piece);
            }
            2 => {
                buffer.prepend(Bytes::from(piece.clone()));
                model.splice(0..0, piece);
            }
            3 => {
                let count = random(12);
                buffer.drain(count);
                model.drain(..count.min(model.len()));
            }
            4 => {
                let mut other = BodyBuffer::new();
                other.push(Bytes::from(piece.clone()));
                buffer.append(&mut other);
                assert!(other.is_empty());
                model.extend(piece);
            }
            _ => {
                if let Some(first) = buffer.pop() {
                    assert_eq!(model.drain(..first.len()).collect::<Vec<_>>(), first);
                }
            }
        }
        assert_eq!((buffer.len(), buffer.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(whole(&buffer), model);
        let (start, max) = (random(20), random(20));
        let from = start.min(model.len());
        let to = (start + max).min(model.len()).max(from);
        assert_eq!(sliced(&buffer, start, max), &model[from..to]);
    }
    assert_eq!(sliced(&buffer, 0, usize::MAX), model);
    assert_eq!(sliced(&buffer, usize::MAX, usize::MAX), b"");
    buffer.clear();
    assert!(buffer.is_empty() && buffer.pop().is_none());
}
