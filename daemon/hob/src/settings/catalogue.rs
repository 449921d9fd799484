//! Every setting there is: what may be written for it, what it decides, and whether the page may change it. What a value comes to is
//! decided where it is checked; a test holds that nothing is there and not here.

use api::settings::{Counts, Kind, Needs, Value};

/// A setting, whatever it is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// As in a file, with its section.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// In a sentence.
    pub(crate) about: &'static str,
    /// `None` is nothing, or what the machine makes of it.
    pub(crate) default: Option<&'static str>,
    pub(crate) counts: Counts,
    pub(crate) needs: Needs,
    /// Why the page cannot change it, whoever asks.
    pub(crate) locked: Option<&'static str>,
    /// By which nobody comes in and nothing is given; it counts where what the page keeps cannot.
    pub(crate) strict: Option<&'static str>,
}

impl Known {
    const fn new(name: &'static str, kind: Kind, default: Option<&'static str>, about: &'static str) -> Self {
        let (counts, needs) = (Counts::AfterRestart, Needs::Admin);
        Self { name, kind, about, default, counts, needs, locked: None, strict: None }
    }

    const fn at_once(self) -> Self {
        Self { counts: Counts::AtOnce, ..self }
    }

    const fn with_password(self) -> Self {
        Self { needs: Needs::Password, ..self }
    }

    const fn strictly(self, text: &'static str) -> Self {
        Self { strict: Some(text), ..self }
    }

    const fn locked(self, why: &'static str) -> Self {
        Self { locked: Some(why), ..self }
    }

    /// What may be seen of what it is set to.
    pub(crate) fn shown(&self, text: Option<&str>) -> Value {
        match text {
            None => Value::None,
            Some(_) if self.kind == Kind::Secret => Value::Hidden,
            // A proxy's address may hold a password.
            Some(text) if self.name == PROXY && text.contains('@') => Value::Hidden,
            Some(text) => Value::Text(text.to_owned()),
        }
    }

    /// What is wrong with a text of this kind, before anybody asks what it means.
    pub(crate) fn fault(&self, text: &str) -> Option<String> {
        let name = self.name;
        if text.chars().count() > MOST_CHARACTERS || text.chars().any(char::is_control) {
            return Some(format!("{name} must be one line of at most {MOST_CHARACTERS} characters"));
        }
        if name == PROXY && !registry::is_proxy(text) {
            return Some(format!(
                "{name} must be the address of a proxy, as in http://proxy:3128 or https://name:password@proxy:3129"
            ));
        }
        match self.kind {
            Kind::Number if text.parse::<u32>().is_err() => {
                Some(format!("{name} is \"{text}\", it must be a whole number"))
            }
            Kind::Flag if text.parse::<bool>().is_err() => {
                Some(format!("{name} is \"{text}\", it must be true or false"))
            }
            Kind::Choice(words) if !words.contains(&text) => {
                Some(format!("{name} is \"{text}\", it must be {}", either(words)))
            }
            _ => None,
        }
    }
}

/// Of one value.
const MOST_CHARACTERS: usize = 4096;

fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The setting of this name.
pub(crate) fn known(name: &str) -> Option<&'static Known> {
    CATALOGUE.iter().find(|known| known.name == name)
}

const PROXY: &str = "registry.proxy";

const OF_MACHINE: &str = "it is about files of this machine, and is set there";
const OF_DOOR: &str = "programs on this machine find the box by it, which do not know what the page keeps; it is set on the machine";
const OF_CLIENT: &str = "it is of whoever uses the command line, not of the box";
const OF_UNCLAIMED: &str = "it is for a box that nobody owns yet, and is set on the machine";
const BRING: &str = "it names files of this machine, and is set there; the page takes a certificate as well";

const ON_OFF: &[&str] = &["off", "on"];
const CACHE_TYPES: &[&str] = &["f16", "q8_0", "q4_0"];
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// All of them, in the order in which a person would look for them.
#[rustfmt::skip]
pub(crate) const CATALOGUE: &[Known] = &[
    Known::new("name", Kind::Text, Some("Hob"), "What people call the box.").at_once(),
    // Models.
    Known::new("models.keep_alive", Kind::Time, Some("5m"),
        "How long an idle model stays in memory; 0 is not at all, and a negative time is for ever.").at_once(),
    Known::new("models.preload", Kind::List, None, "Models that are loaded when the box starts, and stay."),
    Known::new("models.context", Kind::Number, Some("4096"),
        "The context of a request in tokens, where neither it nor its model says.").at_once(),
    Known::new("models.parallel", Kind::Number, Some("4"), "Requests that one model answers at once."),
    Known::new("models.max_loaded", Kind::Number, Some("3"), "Models in memory at once; with 0, only memory counts."),
    Known::new("models.max_queue", Kind::Number, Some("512"), "Requests that wait at once."),
    Known::new("models.load_timeout", Kind::Time, Some("5m"), "Silence after which the load of a model is given up."),
    Known::new("models.keep_free", Kind::Size, Some("1GiB"), "Room on the disk that downloads leave free."),
    Known::new("models.prune", Kind::Flag, Some("true"), "Whether files that no model names are removed at start."),
    Known::new("models.dir", Kind::Path, None, "The folder of the models.").locked(OF_MACHINE),
    // Memory, and how models are computed.
    Known::new("memory.limit", Kind::Open(&["auto"]), Some("auto"),
        "What all models together may take, as in 6GiB; auto is what is free but for the floor."),
    Known::new("memory.floor", Kind::Size, Some("512MiB"), "What auto leaves to other programs of the memory that is free."),
    Known::new("cache.k", Kind::Choice(CACHE_TYPES), Some("f16"),
        "In what the KV cache keeps keys: q8_0 takes half the memory and q4_0 a quarter, and answers get a little worse."),
    Known::new("cache.v", Kind::Choice(CACHE_TYPES), Some("f16"),
        "In what the KV cache keeps values: q8_0 takes half the memory and q4_0 a quarter, and answers get a little worse."),
    Known::new("cache.ram", Kind::Size, Some("256MiB"),
        "Memory of each model for beginnings of conversations that are not in use just now."),
    Known::new("cache.disk", Kind::Size, Some("0"),
        "Room on the disk for beginnings of conversations, so that they survive a restart; 0 keeps none."),
    Known::new("engine.threads", Kind::Number, None, "Compute threads of a model; one for each core if nothing is said."),
    Known::new("engine.speculation", Kind::Flag, Some("true"),
        "Whether text that repeats itself is guessed ahead and checked: the same answer sooner."),
    Known::new("engine.max_step_ms", Kind::Number, Some("200"),
        "How long a prompt may hold up those who are being answered, in milliseconds."),
    Known::new("engine.stuck_after", Kind::Time, Some("60s"),
        "Silence after which a model that should be answering is stopped; with 0, never."),
    // The network.
    Known::new("lan.open", Kind::Open(ON_OFF), Some("off"),
        "Whether the network is served by TLS: on is at every address of the machine; or a list of addresses.").strictly("off"),
    Known::new("lan.announce", Kind::Choice(&["builtin", "avahi-file", "off"]), Some("builtin"),
        "Who says on the network that the box is there: Hob itself, avahi by a file of its own, or nobody.").strictly("off"),
    Known::new("lan.interfaces", Kind::List, None,
        "Network interfaces to say it on; by itself those that look like a network of people."),
    Known::new("lan.skip", Kind::List, None, "Network interfaces not to say it on."),
    Known::new("lan.share", Kind::Flag, Some("true"), "Whether paired boxes may have the models of this one.").at_once().strictly("false"),
    Known::new("lan.route", Kind::Choice(&["off", "neighbours"]), Some("off"),
        "Whether a request may be answered by a paired box that does so sooner.").strictly("off"),
    Known::new("lan.split", Kind::Choice(&["off", "experimental"]), Some("off"),
        "Whether boxes that are paired for it compute a model together that is too large for one.").with_password().strictly("off"),
    Known::new("hosts", Kind::List, None, "Names by which the box is asked, besides those that it has by itself.").with_password().strictly(""),
    Known::new("origins", Kind::List, None,
        "Web pages and programs that may call the box from a browser, as in https://home.example.").with_password().strictly(""),
    Known::new("loopback.require_key", Kind::Flag, Some("false"),
        "Whether programs on this machine need a key as well.").with_password().strictly("true"),
    Known::new("plaintext.listen", Kind::List, None,
        "Addresses without TLS for programs that know none; keys and answers can be read on the way.").with_password().strictly(""),
    Known::new("plaintext.allow", Kind::List, None,
        "Networks that may use the addresses without TLS, as in 192.168.1.20/32.").with_password().strictly(""),
    Known::new("listen", Kind::List, Some("127.0.0.1:11434,[::1]:11434"),
        "Where programs on this machine ask.").locked(OF_DOOR),
    // Who the box is, and whose.
    Known::new("tls.cert", Kind::Path, None, "The file of a certificate that you have for the box, with its chain.").locked(BRING),
    Known::new("tls.key", Kind::Path, None, "The file of that certificate's key.").locked(BRING),
    Known::new("tls.names", Kind::List, None,
        "Names of the box in its own certificates, besides those that it has by itself; they count at its first start."),
    Known::new("claim.name", Kind::Text, None, "Who owns a box that is claimed by its settings.").locked(OF_UNCLAIMED),
    Known::new("claim.password_hash_file", Kind::Path, None,
        "The file with the hash of that owner's password.").locked(OF_UNCLAIMED),
    Known::new("admin.socket", Kind::Path, None,
        "The socket by which the box is administered from this machine.").locked(OF_DOOR),
    Known::new("admin.group", Kind::Text, None,
        "A group of this machine that may use that socket.").locked(OF_MACHINE),
    Known::new("state.dir", Kind::Path, None, "The folder of what the box keeps.").locked(OF_MACHINE),
    // Where models come from.
    Known::new("registry.trusted", Kind::List, None,
        "Hosts of models that may be on the inside of the network or without TLS, as in box.local:5000.").with_password().strictly(""),
    Known::new(PROXY, Kind::Text, None, "A proxy for downloads and uploads of models.").with_password(),
    Known::new("registry.limit", Kind::Size, None, "Bytes a second of all downloads together, as in 10MB."),
    Known::new("registry.credentials", Kind::Path, None,
        "A file of names and passwords by host, in the form of Docker's config.json.").locked(OF_MACHINE),
    // What one client may take.
    Known::new("limits.connections", Kind::Number, Some("4096"), "Connections at once."),
    Known::new("limits.connections_per_address", Kind::Number, Some("64"), "Connections at once of one address of the network."),
    Known::new("limits.unauthenticated_per_address", Kind::Number, Some("16"),
        "Connections at once of one address of the network, without a key or a session so far."),
    Known::new("limits.handshake_time", Kind::Time, Some("5s"), "For a client to agree on TLS."),
    Known::new("limits.streams", Kind::Number, Some("256"), "Requests at once on one connection of HTTP/2 from this machine."),
    Known::new("limits.network_streams", Kind::Number, Some("64"), "Requests at once on one connection of HTTP/2 from the network."),
    Known::new("limits.header_time", Kind::Time, Some("10s"), "For the headers of a request to arrive."),
    Known::new("limits.header_bytes", Kind::Size, Some("64KiB"), "What the headers of a request may take."),
    Known::new("limits.header_bytes_h2", Kind::Size, Some("16KiB"), "What the headers of a request may take in HTTP/2."),
    Known::new("limits.headers", Kind::Number, Some("100"), "Headers of one request."),
    Known::new("limits.body_idle", Kind::Time, Some("30s"), "Between two pieces of the body of a request."),
    Known::new("limits.body_time", Kind::Time, Some("30s"),
        "For all of the body of a request to arrive, and a second more for each 64 KiB of it."),
    Known::new("limits.unpacked_bytes", Kind::Size, Some("64MiB"), "What the body of a request that was packed may hold."),
    Known::new("limits.held_bytes", Kind::Size, Some("512MiB"), "Memory for the bodies of all requests."),
    Known::new("limits.stranger_bytes", Kind::Size, Some("4MiB"), "Memory for the bodies of requests without a key or a session."),
    Known::new("limits.passing_bytes", Kind::Size, Some("32MiB"), "Memory for uploads on their way to the disk."),
    Known::new("limits.write_idle", Kind::Time, Some("60s"), "For a client to take what is written to it."),
    Known::new("limits.idle", Kind::Time, Some("2m"), "For a client to ask again on a connection of HTTP/2."),
    Known::new("limits.farewell", Kind::Time, Some("5s"), "For a client to see that it is hung up on."),
    Known::new("limits.resets", Kind::Number, Some("64"), "Streams that a client may give up at once."),
    Known::new("limits.drain", Kind::Time, Some("30s"), "How long running answers get to end when the box stops."),
    Known::new("log.level", Kind::Open(LEVELS), Some("info"), "How much is logged."),
    // The command line's own.
    Known::new("host", Kind::Text, None, "The box that the command line talks to.").locked(OF_CLIENT),
    Known::new("key", Kind::Secret, None, "The key by which the command line is known to it.").locked(OF_CLIENT),
    Known::new("cli.history", Kind::Flag, Some("true"), "Whether the console keeps a history.").locked(OF_CLIENT),
    Known::new("cli.editor", Kind::Text, Some("vi"), "What the console opens for a long message.").locked(OF_CLIENT),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::CacheType;

    use super::super::raw::Raw;
    use super::*;

    /// Every name in it, with its sections.
    fn names(value: &serde_json::Value, prefix: &str, into: &mut BTreeSet<String>) {
        for (name, value) in value.as_object().unwrap() {
            match value.is_object() {
                true => names(value, &format!("{prefix}{name}."), into),
                false => assert!(into.insert(format!("{prefix}{name}"))),
            }
        }
    }

    #[test]
    fn every_setting_that_is_read_is_in_the_catalogue_and_the_other_way_round() {
        let mut read = BTreeSet::new();
        names(&serde_json::to_value(Raw::default()).unwrap(), "", &mut read);
        let told: BTreeSet<String> = CATALOGUE.iter().map(|known| known.name.to_owned()).collect();
        assert_eq!(told.len(), CATALOGUE.len(), "a name is there twice");
        assert_eq!(read.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "read and not told");
        assert_eq!(told.difference(&read).collect::<Vec<_>>(), Vec::<&String>::new(), "told and not read");
    }

    #[test]
    fn what_is_told_of_a_setting_is_a_sentence_and_a_file_is_named_on_the_machine_alone() {
        for known in CATALOGUE {
            assert!(known.about.ends_with('.') && known.about.len() < 160, "{}", known.name);
            let of_machine = matches!(known.kind, Kind::Path | Kind::Secret);
            assert!(!of_machine || known.locked.is_some(), "{} may be changed by the page", known.name);
        }
        let types = CACHE_TYPES.iter().map(|name| name.parse::<CacheType>());
        assert!(types.clone().all(|parsed| parsed.is_ok()) && types.count() == 3);
    }

    #[test]
    fn secrets_are_never_shown() {
        let shown = |name: &str, text| known(name).unwrap().shown(Some(text));
        assert_eq!(shown("key", "hob_planted"), Value::Hidden);
        assert_eq!(shown("registry.proxy", "http://ada:planted@proxy:3128"), Value::Hidden);
        assert_eq!(shown("registry.proxy", "http://proxy:3128"), Value::Text("http://proxy:3128".into()));
        assert_eq!(known("key").unwrap().shown(None), Value::None);
    }

    #[test]
    fn a_value_of_another_kind_is_told_in_the_words_of_its_kind() {
        let fault = |name: &str, text: &str| known(name).unwrap().fault(text);
        assert_eq!(
            fault("models.context", "many").unwrap(),
            "models.context is \"many\", it must be a whole number"
        );
        assert_eq!(fault("lan.share", "on").unwrap(), "lan.share is \"on\", it must be true or false");
        assert_eq!(
            fault("lan.announce", "loudly").unwrap(),
            "lan.announce is \"loudly\", it must be builtin, avahi-file or off"
        );
        for right in ["http://proxy:3128", "https://ada:planted@proxy.example/", "http://[fd00::1]:3128"] {
            assert_eq!(fault("registry.proxy", right), None, "{right}");
        }
        for wrong in
            ["ftp://ada:planted@proxy", "proxy:3128", "http://", "http://proxy:3128/path?a", "socks5://proxy"]
        {
            let told = fault("registry.proxy", wrong).unwrap();
            assert!(told.contains("http://proxy:3128") && !told.contains("planted"), "{told}");
        }
        assert!(fault("hosts", "a\nb").unwrap().contains("one line"));
        assert_eq!(fault("lan.open", "192.168.1.5"), None);
    }
}
