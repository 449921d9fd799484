//! The box's own authority: a root whose key no longer exists, and the one certificate that it signed, by which the box signs
//! what it serves. Who takes the disk can sign for the box's own names with it, and for nobody else's.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, SanType,
    SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use time::OffsetDateTime;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::extensions::GeneralName;
use zeroize::{Zeroize as _, Zeroizing};

use crate::certificate::{Facts, parsed};
use crate::names::{LOCAL_NETWORKS, Subjects, first_label, own_names};
use crate::{DeviceId, IdentityError, pem, serving};

/// What signs the box's certificates.
pub(crate) struct Authority {
    root: CertificateDer<'static>,
    signer: CertificateDer<'static>,
    key: KeyPair,
    permitted: Vec<String>,
    not_before: i64,
    not_after: i64,
}

/// When something is made.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// What time it is taken for, in seconds since 1970.
    pub(crate) now: i64,
    /// What time it is at least.
    pub(crate) build_date: i64,
}

pub(crate) const DAY: i64 = 86_400;
/// How long the authority is good for.
const TEN_YEARS: i64 = 3652 * DAY;
/// How long a certificate that is served is good for. Apple's devices refuse more than 825 days, whoever signed.
pub(crate) const LEAF_LIFE: i64 = 180 * DAY;

impl Authority {
    /// Makes one. The root's key is gone when this returns.
    ///
    /// Both its certificates hold from the day before the build, not from now: if the clock was ahead when the box was
    /// born, they would hold for nobody once it was set.
    pub(crate) fn born(hostname: &str, at: Moment) -> Result<Self, IdentityError> {
        let (not_before, not_after) = (at.build_date - DAY, at.now.max(at.build_date) + TEN_YEARS);
        let mut root_key = KeyPair::generate()?;
        let (key, called) = (KeyPair::generate()?, called(hostname, &root_key));
        let mut root = params(format!("{called}, root"), not_before, not_after)?;
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        root.key_usages = Vec::from([KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
        let root_der = root.self_signed(&root_key)?.der().clone();

        let label = label(&DeviceId::of(&root_der));
        let permitted = own_names(&label, hostname);
        let mut signer = params(format!("{called}, signer"), not_before, not_after - DAY)?;
        signer.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        signer.key_usages.clone_from(&root.key_usages);
        signer.extended_key_usages = Vec::from([ExtendedKeyUsagePurpose::ServerAuth]);
        signer.use_authority_key_identifier_extension = true;
        signer.name_constraints =
            Some(NameConstraints { permitted_subtrees: subtrees(&permitted), excluded_subtrees: Vec::new() });
        let signer_der = signer.signed_by(&key, &Issuer::from_params(&root, &root_key))?.der().clone();
        root_key.zeroize();
        Ok(Self {
            root: root_der,
            signer: signer_der,
            key,
            permitted,
            not_before,
            not_after: not_after - DAY,
        })
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote. The error says what is wrong.
    pub(crate) fn read(text: &[u8]) -> Result<Self, &'static str> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| "there is no key in it")?;
        let key = KeyPair::try_from(&key).map_err(|_| "its key is none")?;
        let certificates = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| "there is a certificate in it that is none")?;
        let [signer, root] =
            <[_; 2]>::try_from(certificates).map_err(|_| "there are not two certificates in it")?;
        let permitted = checked(&root, &signer, &key)?;
        let Facts { not_before, not_after, .. } =
            Facts::of(&signer).ok_or("its signing certificate is none")?;
        Ok(Self { root, signer, key, permitted, not_before, not_after })
    }

    /// All of it, as it is kept: in one file, so that there is all of it or nothing.
    pub(crate) fn to_pem(&self) -> Zeroizing<String> {
        pem::key_and_certificates(self.key.serialized_der(), &[&self.signer, &self.root])
    }

    /// Signs for what the box is called now. The certificate holds from a day before, since clocks differ.
    pub(crate) fn sign(
        &self,
        subjects: &Subjects,
        key: &KeyPair,
        now: i64,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let called = format!("{}.local", label(&self.id()));
        let mut params = params(called, now - DAY, self.end_of_leaf(now))?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = Vec::from([KeyUsagePurpose::DigitalSignature]);
        params.extended_key_usages = Vec::from([ExtendedKeyUsagePurpose::ServerAuth]);
        params.use_authority_key_identifier_extension = true;
        for name in &subjects.names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(subjects.addresses.iter().copied().map(SanType::IpAddress));
        let issuer = Issuer::from_ca_cert_der(&self.signer, &self.key)?;
        Ok(params.signed_by(key, &issuer)?.der().clone())
    }

    /// Until when a certificate would hold that is made now.
    pub(crate) fn end_of_leaf(&self, now: i64) -> i64 {
        (now - DAY + LEAF_LIFE).min(self.not_after)
    }

    /// Whether clients that trust the root take this certificate, by their rules.
    pub(crate) fn vouches_for(&self, leaf: &CertificateDer<'_>) -> bool {
        let Some(facts) = Facts::of(leaf) else { return false };
        let at =
            UnixTime::since_unix_epoch(Duration::from_secs(facts.not_before.try_into().unwrap_or_default()));
        let Ok(anchor) = webpki::anchor_from_trusted_cert(&self.root) else { return false };
        let (anchors, between) = ([anchor], [self.signer.clone()]);
        let usage = KeyUsage::server_auth();
        EndEntityCert::try_from(leaf).is_ok_and(|leaf| {
            leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &between, at, usage, None, None)
                .is_ok()
        })
    }

    /// What is served behind a certificate: also the root, so that who comes for the first time can see who the box is.
    pub(crate) fn chain(&self) -> [CertificateDer<'static>; 2] {
        [self.signer.clone(), self.root.clone()]
    }

    pub(crate) fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    pub(crate) fn id(&self) -> DeviceId {
        DeviceId::of(&self.root)
    }

    /// The names that it may sign for, and those below.
    pub(crate) fn permitted(&self) -> &[String] {
        &self.permitted
    }

    /// When the build was made by which the box was born.
    pub(crate) fn build_date(&self) -> i64 {
        self.not_before + DAY
    }

    pub(crate) fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// What a box is called on its network.
pub(crate) fn label(id: &DeviceId) -> String {
    id.label()
}

/// Whether all belongs together, bit by bit: a root that changed would be another box's. Returns the names that may be
/// signed for.
fn checked(
    root: &CertificateDer<'_>,
    signer: &CertificateDer<'_>,
    key: &KeyPair,
) -> Result<Vec<String>, &'static str> {
    // Stricter than what reads it below, which overlooks changes where no signature is for them.
    webpki::anchor_from_trusted_cert(root).map_err(|_| "its root certificate is none")?;
    EndEntityCert::try_from(signer).map_err(|_| "its signing certificate is none")?;
    let root = parsed(root).ok_or("its root certificate is none")?;
    let signer = parsed(signer).ok_or("its signing certificate is none")?;
    root.verify_signature(None).map_err(|_| "its root certificate was changed")?;
    let by_root = signer.verify_signature(Some(root.public_key()));
    by_root.map_err(|_| "its signing certificate was changed, or is another root's")?;
    if signer.public_key().raw != key.subject_public_key_info() {
        return Err("its key is not that of its signing certificate");
    }
    let constraints = signer.name_constraints().ok().flatten();
    let permitted = constraints.and_then(|constraints| constraints.value.permitted_subtrees.as_ref());
    let permitted = permitted.ok_or("its signing certificate is not bound to names")?;
    let names = permitted.iter().filter_map(|subtree| match subtree.base {
        GeneralName::DNSName(name) => Some(name.to_owned()),
        _ => None,
    });
    Ok(names.collect())
}

/// What tells this box's certificates from others' in lists for people, and from those that the same machine had before.
fn called(hostname: &str, root_key: &KeyPair) -> String {
    let machine = first_label(hostname).map(|name| format!(" on {}", name.get(..32).unwrap_or(&name)));
    let key = root_key.public_key_raw();
    let tag = key[key.len() - 4..].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("Hob{} {tag}", machine.unwrap_or_default())
}

fn params(called: String, not_before: i64, not_after: i64) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, called);
    params.not_before = date(not_before);
    params.not_after = date(not_after);
    // By itself it would be made from the key, which stays: browsers refuse two certificates of one number.
    params.serial_number = Some(serial()?);
    Ok(params)
}

/// 127 random bits, and not negative.
fn serial() -> Result<SerialNumber, IdentityError> {
    let mut bytes = [0; 16];
    serving::provider().secure_random.fill(&mut bytes).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn date(seconds: i64) -> OffsetDateTime {
    // Nothing is said of times that no certificate can hold.
    OffsetDateTime::from_unix_timestamp(seconds.clamp(0, LAST_SECOND)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

fn subtrees(names: &[String]) -> Vec<GeneralSubtree> {
    let networks = LOCAL_NETWORKS
        .map(|(address, prefix)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix)));
    names.iter().cloned().map(GeneralSubtree::DnsName).chain(networks).collect()
}

#[cfg(test)]
mod tests;
