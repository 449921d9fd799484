//! What a device takes the box's root from, in the form that Apple's want: a profile, which its owner looks at and installs.
//! Pure.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use crate::authority::label;
use crate::{DeviceId, pem};

/// A profile with nothing in it but the root. One that is installed again takes the place of the first, as its identifiers are
/// made of the box's.
pub(crate) fn mobileconfig(root: &CertificateDer<'_>) -> String {
    let id = DeviceId::of(root);
    let (label, short) = (label(&id), id.short());
    let (inner, outer) = (uuid(&id, "root"), uuid(&id, "profile"));
    let data = pem::lines(root, 76);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadCertificateFileName</key>
			<string>{label}.cer</string>
			<key>PayloadContent</key>
			<data>
{data}			</data>
			<key>PayloadDescription</key>
			<string>Lets this device know the box {label} when it connects to it. Its device ID is {id}.</string>
			<key>PayloadDisplayName</key>
			<string>Hob {label} ({short})</string>
			<key>PayloadIdentifier</key>
			<string>hob.{label}.root</string>
			<key>PayloadType</key>
			<string>com.apple.security.root</string>
			<key>PayloadUUID</key>
			<string>{inner}</string>
			<key>PayloadVersion</key>
			<integer>1</integer>
		</dict>
	</array>
	<key>PayloadDescription</key>
	<string>Compare the device ID with the one that the box shows before you install this: {id}</string>
	<key>PayloadDisplayName</key>
	<string>Hob {label}</string>
	<key>PayloadIdentifier</key>
	<string>hob.{label}</string>
	<key>PayloadRemovalDisallowed</key>
	<false/>
	<key>PayloadType</key>
	<string>Configuration</string>
	<key>PayloadUUID</key>
	<string>{outer}</string>
	<key>PayloadVersion</key>
	<integer>1</integer>
</dict>
</plist>
"#
    )
}

/// A UUID of version 8: made of a hash.
fn uuid(id: &DeviceId, what: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(format!("{id} {what}")).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = bytes[..16].iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
