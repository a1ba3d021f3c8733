//! Giving a module what a kernel must have: an exported memory.

fn leb(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn read_leb(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Id and content of a section.
type Section<'a> = (u8, &'a [u8]);

fn sections(mut bytes: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut sections = Vec::new();
    while let Some((id, rest)) = bytes.split_first() {
        bytes = rest;
        let size = read_leb(&mut bytes)?;
        let (content, rest) = bytes.split_at_checked(size as usize)?;
        sections.push((*id, content));
        bytes = rest;
    }
    Some(sections)
}

/// The elements of a section with one more.
fn with(content: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    let mut rest = content;
    let count = read_leb(&mut rest)?;
    Some([&leb(count + 1)[..], rest, element].concat())
}

const MEMORIES: u8 = 5;
const EXPORTS: u8 = 7;

/// The module with memory 0, made if there is none, exported under a name of its own. Modules that cannot be taken apart stay
/// as they are.
pub fn with_memory(module: &[u8]) -> Vec<u8> {
    patched(module).unwrap_or_else(|| module.to_vec())
}

fn patched(module: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = module.split_at_checked(8)?;
    let mut sections: Vec<(u8, Vec<u8>)> =
        sections(rest)?.into_iter().map(|(id, content)| (id, content.to_vec())).collect();
    let has_memory = sections.iter().any(|(id, content)| *id == MEMORIES && content.first() != Some(&0));
    let mut put = |id: u8, element: &[u8]| -> Option<()> {
        match sections.iter_mut().find(|(other, _)| *other == id) {
            Some((_, content)) => *content = with(content, element)?,
            None => {
                let at = sections.iter().position(|(other, _)| *other > id);
                let content = [&[1][..], element].concat();
                sections.insert(at.unwrap_or(sections.len()), (id, content));
            }
        }
        Some(())
    };
    if !has_memory {
        put(MEMORIES, &[0, 0])?;
    }
    let name = b"soru memory";
    put(EXPORTS, &[&[name.len() as u8][..], name, &[2, 0]].concat())?;
    let mut out = header.to_vec();
    for (id, content) in sections {
        out.push(id);
        out.extend(leb(content.len() as u32));
        out.extend(content);
    }
    Some(out)
}
