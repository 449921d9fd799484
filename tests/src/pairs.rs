//! Boxes beside each other: several machines on one street, each with a hob that somebody owns, paired with each other as people
//! pair them, by the command line.

use std::ops::Index;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::Hob;
use crate::lan::{Machine, Street};

/// The password by which each is owned, by `ada`.
pub const PASSWORD: &str = "a longer word than most";

/// What an invitation is for of which nothing is said.
pub const USUAL: &[&str] = &["infer", "embed", "models.read"];

/// Several boxes. Gone when dropped, and their street with them.
pub struct Boxes {
    boxes: Vec<House>,
    /// Where they are.
    pub street: Street,
}

/// One of them, and the machine that it is.
pub struct House {
    /// The daemon.
    pub hob: Hob,
    /// Where it runs.
    pub machine: Machine,
}

impl House {
    /// A daemon with nothing in its store on one more machine of a street, which `ada` owns.
    pub fn claimed(street: &mut Street, environment: &[(&str, &str)]) -> Self {
        Self::unclaimed(street, environment).owned()
    }

    /// The same, whose workers answer by scripts.
    pub fn scripted(street: &mut Street, environment: &[(&str, &str)]) -> Self {
        let machine = street.machine();
        Self { hob: Hob::start_scripted_at(&machine, environment), machine }.owned()
    }

    fn owned(self) -> Self {
        let claim = ["claim", "--name", "ada", "--password-file", "-"];
        printed(&self.hob.there_saying(&self.machine, &claim, PASSWORD));
        self
    }

    /// The same, which nobody owns.
    pub fn unclaimed(street: &mut Street, environment: &[(&str, &str)]) -> Self {
        let machine = street.machine();
        Self { hob: Hob::start_at(&machine, environment), machine }
    }

    /// `hob ARGS...` there, as the owner of the box.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.hob.there(&self.machine, args)
    }

    /// The same, which has to succeed; what it printed.
    pub fn say(&self, args: &[&str]) -> String {
        printed(&self.cli(args))
    }

    /// `hob create NAME` from a GGUF file.
    pub fn create(&self, name: &str, gguf: &Path) {
        let modelfile = self.hob.home.path().join("Modelfile");
        std::fs::write(&modelfile, format!("FROM {}\n", gguf.display())).unwrap();
        self.say(&["create", name, "-f", modelfile.to_str().unwrap()]);
    }

    /// What the box says of itself.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.say(&["status", "--json"])).unwrap()
    }

    /// Its ID, whole.
    pub fn id(&self) -> String {
        self.status()["device"]["id"].as_str().unwrap().to_owned()
    }

    /// What it is called on the network, and by those that are paired with it by its address: `hob-abcd`.
    pub fn label(&self) -> String {
        self.status()["device"]["label"].as_str().unwrap().to_owned()
    }

    /// Its address on the street.
    pub fn address(&self) -> String {
        self.machine.address.to_string()
    }

    /// Invites somebody; the code.
    pub fn invite(&self, scopes: &[&str]) -> String {
        self.say(&["pair", "--invite", "--scope", &scopes.join(",")]).trim_end().to_owned()
    }

    /// Goes to another one that has invited it.
    pub fn redeem(&self, host: &Self, code: &str) -> Output {
        self.redeem_for(host, code, "")
    }

    /// The same, where its owner names what the other may here.
    pub fn redeem_for(&self, host: &Self, code: &str, scopes: &str) -> Output {
        let (address, id) = (host.address(), host.id());
        let line = ["pair", &address, "--code", code, "--id", &id, "--scope", scopes];
        self.cli(if scopes.is_empty() { &line[..6] } else { &line })
    }
}

impl Boxes {
    /// So many, which all have these settings, and are not paired.
    pub fn claimed(count: usize, environment: &[(&str, &str)]) -> Self {
        Self::each(&vec![environment; count])
    }

    /// One for each of these lists of settings.
    pub fn each(environments: &[&[(&str, &str)]]) -> Self {
        let mut street = Street::new();
        let boxes = environments.iter().map(|environment| House::claimed(&mut street, environment)).collect();
        Self { boxes, street }
    }

    /// So many, each paired with each by the usual scopes.
    pub fn paired(count: usize, environment: &[(&str, &str)]) -> Self {
        let boxes = Self::claimed(count, environment);
        boxes.pair_all(USUAL);
        boxes
    }

    /// Each with each.
    pub fn pair_all(&self, scopes: &[&str]) {
        for guest in 1..self.boxes.len() {
            for host in 0..guest {
                self.pair(guest, host, scopes);
            }
        }
    }

    /// One goes to another by its address. From then on each knows the other by its label.
    pub fn pair(&self, guest: usize, host: usize, scopes: &[&str]) {
        let (guest, host) = (&self[guest], &self[host]);
        // Nobody is lent to who was not named.
        let named = if scopes.contains(&"split") { scopes.join(",") } else { String::new() };
        let redeemed = guest.redeem_for(host, &host.invite(scopes), &named);
        assert!(redeemed.status.success(), "{redeemed:?}");
        let said = String::from_utf8_lossy(&redeemed.stderr);
        assert!(said.contains("here") && !said.contains("does not ask"), "{said}");
    }
}

impl Index<usize> for Boxes {
    type Output = House;

    fn index(&self, index: usize) -> &House {
        &self.boxes[index]
    }
}

/// What a command printed that had to succeed.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
