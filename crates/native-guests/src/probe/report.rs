//! What a script tells: results, and the steps it echoes.

use super::expression::Value;

/// A part of what a hostcall answers.
#[derive(Debug)]
pub(super) enum Part {
    Bytes(Vec<u8>),
    Pairs(Vec<u8>),
    Number(u64),
    Time(u64),
}

// === impl Part ===

impl Part {
    /// What a variable keeps of it.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Bytes(bytes) | Self::Pairs(bytes) => Value::Bytes(bytes),
            Self::Number(number) | Self::Time(number) => Value::Number(number.cast_signed()),
        }
    }

    pub(super) fn number(&self) -> u32 {
        match self {
            Self::Number(number) => u32::try_from(*number).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    pub(super) fn show(&self, format: &str, line: &mut Vec<u8>) {
        let mut put = |text: String| line.extend_from_slice(text.as_bytes());
        match (self, format) {
            (Self::Time(number), "") => put(if *number == 0 { "0" } else { "nonzero" }.to_owned()),
            (Self::Number(number) | Self::Time(number), "hex") => put(format!("{number:#010x}")),
            (Self::Number(number) | Self::Time(number), _) => put(number.to_string()),
            (Self::Bytes(bytes) | Self::Pairs(bytes), "len") => put(format!("{} bytes", bytes.len())),
            (Self::Bytes(bytes) | Self::Pairs(bytes), "hash") => {
                put(format!("{} bytes, fnv1a {:08x}", bytes.len(), fnv1a(bytes)));
            }
            (Self::Bytes(bytes) | Self::Pairs(bytes), "int") if (1..=8).contains(&bytes.len()) => {
                let mut word = [0; 8];
                word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                put(i64::from_le_bytes(word).to_string());
            }
            (Self::Bytes(bytes) | Self::Pairs(bytes), "full") => quote(bytes, line),
            (Self::Bytes(bytes) | Self::Pairs(bytes), "hex") => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                put(format!("h\"{digits}\""));
            }
            (Self::Bytes(bytes) | Self::Pairs(bytes), "pairs" | "sorted") | (Self::Pairs(bytes), "") => {
                show_pairs(bytes, format == "sorted", line);
            }
            (Self::Bytes(bytes) | Self::Pairs(bytes), _) => quote_short(bytes, line),
        }
    }
}

fn show_pairs(bytes: &[u8], sorted: bool, line: &mut Vec<u8>) {
    let Some(mut entries) = pairs(bytes) else {
        line.extend_from_slice(b"malformed ");
        return quote_short(bytes, line);
    };
    if sorted {
        entries.sort_by_key(|(key, _)| *key);
    }
    line.push(b'{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            line.extend_from_slice(b", ");
        }
        quote(key, line);
        line.extend_from_slice(b": ");
        quote_short(value, line);
    }
    line.push(b'}');
}

/// Without the bounds that the ABI's crate has for what guests write.
fn pairs(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let Some((count, rest)) = bytes.split_first_chunk() else {
        return bytes.is_empty().then(Vec::new);
    };
    let (lengths, mut data) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8)?)?;
    let mut field = |length: &[u8; 4]| {
        let (field, after) = data.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        data = after.split_first()?.1;
        Some(field)
    };
    let pair = |lengths: &[u8]| {
        let (key, rest) = lengths.split_first_chunk()?;
        Some((field(key)?, field(rest.first_chunk()?)?))
    };
    let entries: Option<Vec<_>> = lengths.chunks_exact(8).map(pair).collect();
    entries.filter(|_| data.is_empty())
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn quote_short(bytes: &[u8], line: &mut Vec<u8>) {
    match bytes.get(..100) {
        Some(head) if bytes.len() > 200 => {
            quote(head, line);
            line.extend_from_slice(format!("... {} bytes, fnv1a {:08x}", bytes.len(), fnv1a(bytes)).as_bytes());
        }
        _ => quote(bytes, line),
    }
}

fn quote(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for &byte in bytes {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0 => line.extend_from_slice(b"\\0"),
            b'"' | b'\\' => line.extend([b'\\', byte]),
            0x20..=0x7e => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}

/// A step as written, on one line, without comments, printable.
pub(super) fn echo(step: &[u8]) -> Vec<u8> {
    const BLANK: &[u8] = b" \t\r\n#";
    let mut out: Vec<u8> = Vec::new();
    let mut quoted = false;
    let mut rest = step;
    while let Some((&byte, after)) = rest.split_first() {
        if !quoted && BLANK.contains(&byte) {
            let mut newline = false;
            while let Some((&blank, after)) = rest.split_first().filter(|(byte, _)| BLANK.contains(byte)) {
                newline |= blank == b'\n';
                let comment = if blank == b'#' { after.iter().position(|byte| *byte == b'\n') } else { Some(0) };
                rest = after.get(comment.unwrap_or(after.len())..).unwrap_or_default();
            }
            let opened = out.last().is_some_and(|last| b"({[".contains(last));
            let closes = rest.first().is_some_and(|next| b")}]".contains(next));
            if !(newline && (opened || closes)) {
                out.push(b' ');
            }
            continue;
        }
        rest = after;
        if byte == b'"' {
            quoted = !quoted;
        }
        match byte {
            0x20..=0x7e => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
        if quoted
            && byte == b'\\'
            && let Some((&escaped, after)) = rest.split_first()
        {
            out.push(escaped);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_echoed_on_one_line() {
        let step = b"f({  # a comment\n  \"a\": \"x  #\\\"\",\n  \"b\": 1\n},\n  2)";
        assert_eq!(echo(step).escape_ascii().to_string(), r##"f({\"a\": \"x  #\\\"\", \"b\": 1}, 2)"##);
    }

    #[test]
    fn long_bytes_are_shortened() {
        let mut line = Vec::new();
        Part::Bytes(vec![b'a'; 201]).show("", &mut line);
        let (head, tail) = line.split_at(102);
        assert!(head.starts_with(b"\"aaa") && head.ends_with(b"a\""));
        // By another's FNV-1a of 32 bits.
        assert_eq!(tail, b"... 201 bytes, fnv1a 876056a4");
    }
}
