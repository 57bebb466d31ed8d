//! Commands in what a client of Redis sends: arrays of byte strings (RESP), or words in a line.

/// A name longer than this is none.
const MAX_NAME: usize = 32;

/// Reads what comes piece by piece.
#[derive(Default)]
pub(crate) struct Commands {
    state: State,
    /// What of a line, or of a name, has come.
    part: Vec<u8>,
    /// Strings of the command that are still to come.
    strings: u64,
    /// The next one is the command's name.
    name_is_next: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// A line, and what it says.
    #[default]
    Line,
    /// So many bytes of a string, with the line's end behind it.
    String(u64),
}

impl Commands {
    /// Tells the names of the commands that are complete in `data`, in lower case.
    pub(crate) fn read(&mut self, mut data: &[u8], mut tell: impl FnMut(&str)) {
        while let Some((&byte, rest)) = data.split_first() {
            match self.state {
                State::Line => {
                    data = rest;
                    if byte != b'\n' {
                        self.keep(&[byte]);
                        continue;
                    }
                    let line = std::mem::take(&mut self.part);
                    self.line(line.strip_suffix(b"\r").unwrap_or(&line), &mut tell);
                }
                State::String(left) => {
                    let count = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (piece, rest) = data.split_at(count);
                    data = rest;
                    if self.name_is_next {
                        self.keep(piece);
                    }
                    let left = left - count as u64;
                    self.state = State::String(left);
                    if left == 0 {
                        self.string(&mut tell);
                    }
                }
            }
        }
    }

    /// Whether the next `size` bytes are in the middle of a string that is no name: then they need not be read.
    pub(crate) fn skips(&mut self, size: usize) -> bool {
        match &mut self.state {
            State::String(left) if !self.name_is_next && *left > size as u64 => {
                *left -= size as u64;
                true
            }
            _ => false,
        }
    }

    /// Bytes above what a name can have only need to be known to be too many.
    fn keep(&mut self, piece: &[u8]) {
        let room = (2 * MAX_NAME).saturating_sub(self.part.len());
        self.part.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(&str)) {
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
        match line.split_first() {
            Some((b'*', digits)) => {
                self.strings = number(digits).unwrap_or(0);
                self.name_is_next = true;
            }
            // Behind a string there is a line's end.
            Some((b'$', digits)) if self.strings > 0 => {
                self.state = State::String(number(digits).map_or(2, |length| length.saturating_add(2)));
            }
            Some(_) if self.strings == 0 => {
                let word = line.split(|byte| *byte == b' ').find(|word| !word.is_empty());
                tell_name(word.unwrap_or_default(), tell);
            }
            _ => {}
        }
    }

    fn string(&mut self, tell: &mut impl FnMut(&str)) {
        self.state = State::Line;
        self.strings = self.strings.saturating_sub(1);
        let string = std::mem::take(&mut self.part);
        if std::mem::take(&mut self.name_is_next) {
            tell_name(string.strip_suffix(b"\r\n").unwrap_or(&string), tell);
        }
    }
}

fn tell_name(name: &[u8], tell: &mut impl FnMut(&str)) {
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    match std::str::from_utf8(name) {
        Ok(name) if plain && !name.is_empty() && name.len() <= MAX_NAME => tell(&name.to_ascii_lowercase()),
        _ => tell("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names, whatever pieces the data comes in.
    fn names(data: &[u8]) -> Vec<String> {
        let read = |pieces: std::slice::Chunks<'_, u8>| {
            let (mut commands, mut names) = (Commands::default(), Vec::new());
            pieces.for_each(|piece| {
                if !commands.skips(piece.len()) {
                    commands.read(piece, |name| names.push(name.to_owned()));
                }
            });
            names
        };
        let whole = read(data.chunks(data.len()));
        for size in 1..data.len() {
            assert_eq!(read(data.chunks(size)), whole, "pieces of {size}");
        }
        whole
    }

    #[test]
    fn commands_are_arrays_or_lines() {
        assert_eq!(names(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nping\r\n"), ["get", "ping"]);
        assert_eq!(names(b"PING\r\nset a b\r\n"), ["ping", "set"]);
        assert_eq!(names(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\n*1\r\n$4\r\nx\r\nPING\r\n"), ["set", "ping"]);
    }

    #[test]
    fn what_is_no_name_is_another_command() {
        assert_eq!(names(b"*1\r\n$3\r\na b\r\n*1\r\n$2\r\n\xff\xff\r\n*0\r\nPING\r\n"), ["other", "other", "ping"]);
        let long = [b"*1\r\n$100\r\n".as_slice(), &[b'a'; 100], b"\r\nPING\r\n"].concat();
        assert_eq!(names(&long), ["other", "ping"]);
    }
}
