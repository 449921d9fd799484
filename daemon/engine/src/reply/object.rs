//! JSON objects that are still being written.

/// An object, as far as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object<'a> {
    pub(super) members: Vec<Member<'a>>,
    /// What follows it, once it is whole.
    pub(super) rest: Option<&'a str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    /// As it is written.
    pub(super) value: &'a str,
    pub(super) is_whole: bool,
}

impl<'a> Object<'a> {
    /// The object that a text begins with; `None` if it is none. Only its outer form is checked.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix('{')?.trim_start();
        let mut members = Vec::new();
        loop {
            if rest.is_empty() {
                return Some(Self { members, rest: None });
            }
            if let Some(after) = rest.strip_prefix('}') {
                return Some(Self { members, rest: Some(after) });
            }
            if !rest.starts_with('"') {
                return None;
            }
            let Some(end) = value_end(rest) else { return Some(Self { members, rest: None }) };
            let name = &rest[1..end - 1];
            let after = rest[end..].trim_start();
            if after.is_empty() {
                return Some(Self { members, rest: None });
            }
            let value = after.strip_prefix(':')?.trim_start();
            let Some(end) = value_end(value) else {
                members.push(Member { name, value, is_whole: false });
                return Some(Self { members, rest: None });
            };
            members.push(Member { name, value: &value[..end], is_whole: true });
            rest = value[end..].trim_start();
            rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
        }
    }

    pub(super) fn member(&self, names: &[&str]) -> Option<&Member<'a>> {
        self.members.iter().find(|member| names.contains(&member.name))
    }
}

/// Where the value ends that a text begins with; `None` if more of it is to come.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => continue,
            }
            if !quoted && depth == 0 {
                return Some(at + 1);
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            // Behind a number or a word.
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            byte if depth == 0 && byte.is_ascii_whitespace() && at > 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(&str, &str, bool)> {
        let object = Object::read(text).unwrap();
        object.members.iter().map(|member| (member.name, member.value, member.is_whole)).collect()
    }

    #[test]
    fn an_object_is_read_as_far_as_it_goes() {
        let whole = r#"{"name": "a", "arguments": {"b": "}\"", "c": [1, {}]}} and"#;
        assert_eq!(Object::read(whole).unwrap().rest, Some(" and"));
        assert_eq!(
            members(whole),
            [("name", r#""a""#, true), ("arguments", r#"{"b": "}\"", "c": [1, {}]}"#, true)]
        );
        for end in 1..whole.len() - 5 {
            assert_eq!(Object::read(&whole[..end]).unwrap().rest, None, "{}", &whole[..end]);
        }
        assert_eq!(members(r#"{"name": "a", "arguments": {"b": "x"#)[1], ("arguments", r#"{"b": "x"#, false));
        assert_eq!(members(r#"{"n": 12, "m": tru"#), [("n", "12", true), ("m", "tru", false)]);
    }

    #[test]
    fn what_is_no_object_is_none() {
        assert_eq!(Object::read("[1]"), None);
        assert_eq!(Object::read("{x}"), None);
        assert_eq!(Object::read(r#"{"a" 1}"#), None);
    }
}
