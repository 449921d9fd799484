//! What others announce becomes a neighbour here, or nothing: each part has to look as a Hob writes it. Whoever is on the network
//! may say anything, so that this is all that goes on.

use std::net::IpAddr;

use identity::ExpectedId;
use mdns_sd::ResolvedService;

use crate::interfaces::{MOST_ADDRESSES, can_be_told};
use crate::neighbour::Neighbour;

/// A label of DNS.
const LONGEST_LABEL: usize = 63;
/// Digits of each half of a version.
const MOST_DIGITS: usize = 5;

/// The box that this is, if it is one.
pub(crate) fn neighbour(service: &ResolvedService) -> Option<Neighbour> {
    let text = |name: &str| {
        let value = service.txt_properties.get_property_val(name)??;
        std::str::from_utf8(value).ok()
    };
    let is_hob = text("txtvers")? == "1" && text("tls")? == "1" && text("product")? == "hob";
    if !is_hob || service.port == 0 {
        return None;
    }
    let mut addresses: Vec<IpAddr> =
        service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).filter(can_be_told).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    if addresses.is_empty() {
        return None;
    }
    Some(Neighbour {
        label: label(&service.host)?,
        id: id(text("id")?)?,
        port: service.port,
        addresses,
        version: version(text("v")?)?,
        phase: text("state")?.parse().ok()?,
    })
}

/// Of a host of the network itself: letters, digits and dashes in between.
fn label(host: &str) -> Option<String> {
    let label = host.to_ascii_lowercase();
    let label = label.strip_suffix(".local.")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = !label.is_empty() && label.len() <= LONGEST_LABEL && label.bytes().all(plain);
    (fits && !label.starts_with('-') && !label.ends_with('-')).then(|| label.to_owned())
}

/// Short, with digits that check, and written as boxes write it.
fn id(text: &str) -> Option<String> {
    const SHORT: usize = "MFZW-I3DB-ON2G-4V".len();
    let known: ExpectedId = Some(text).filter(|text| text.len() == SHORT)?.parse().ok()?;
    (known.to_string() == text).then(|| text.to_owned())
}

fn version(text: &str) -> Option<String> {
    let (major, minor) = text.split_once('.')?;
    let number = |part: &str| {
        (1..=MOST_DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (number(major) && number(minor)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
