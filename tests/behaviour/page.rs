//! The page in the box, in a real browser on another machine of its network: everything a person does, found by what is written on
//! it. Scripts of tests/browser do it; here are the boxes that they do it to.

use behaviour::browser::Browser;
use behaviour::docker_registry::DockerRegistry;
use behaviour::lan::Lan;
use behaviour::{Hob, free_port, model_file};
use serde_json::{Value, json};

const PASSWORD: &str = "a longer word than most";

/// A box, and the network that a browser comes by.
struct House {
    lan: Lan,
    hob: Hob,
}

impl House {
    fn unclaimed() -> Self {
        let lan = Lan::new();
        let hob = Hob::start_on(&lan, &[]);
        Self { lan, hob }
    }

    /// One of `ada`'s, with nothing in its store, at a port that is the same after a restart.
    fn claimed_with(settings: &[(&str, &str)]) -> Self {
        let lan = Lan::new();
        let address = format!("{}:{}", lan.address, free_port());
        let hob = Hob::start_on(&lan, &[&[("HOB_LAN", address.as_str())], settings].concat());
        Self { lan, hob }.owned()
    }

    /// The same, with `smollm2`.
    fn with_model() -> Self {
        Self::with_model_and(&[])
    }

    /// The same, with other settings as well.
    fn with_model_and(settings: &[(&str, &str)]) -> Self {
        let house = Self::claimed_with(settings);
        // What it says is always the same: to be asked for a thousand animals, it goes on for as long as it may.
        let parameters = "PARAMETER temperature 0\nPARAMETER num_predict 700\n";
        house.make("smollm2", &format!("FROM {}\n{parameters}", model_file().display()));
        house
    }

    /// The same, whose workers answer by scripts.
    fn scripted() -> Self {
        let lan = Lan::new();
        let hob = Hob::start_scripted_on(&lan, &[]);
        Self { lan, hob }.owned()
    }

    /// Another model from what is written of it.
    fn make(&self, name: &str, modelfile: &str) {
        let file = self.hob.home.path().join("Modelfile");
        std::fs::write(&file, modelfile).unwrap();
        let made = self.hob.cli(&["create", name, "-f", file.to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
    }

    fn owned(self) -> Self {
        let claim = ["claim", "--name", "ada", "--password-file", "-"];
        let claimed = self.hob.cli_saying(&claim, PASSWORD);
        assert!(claimed.status.success(), "{claimed:?}");
        self
    }

    fn status(&self) -> Value {
        let status = self.hob.cli(&["status", "--json"]);
        assert!(status.status.success(), "{status:?}");
        serde_json::from_slice(&status.stdout).unwrap()
    }

    /// The status of what a program on the other machine is answered that has this key.
    fn chat_by(&self, key: &str) -> u16 {
        let (root, body) =
            (self.hob.home.path().join("root.pem"), r#"{"model":"smollm2","max_tokens":4,"prompt":"Hi"}"#);
        std::fs::write(&root, self.hob.cli(&["trust", "export"]).stdout).unwrap();
        let url = format!("{}/v1/completions", self.hob.lan_url.as_deref().unwrap());
        let mut curl = self.lan.command("curl");
        curl.args(["-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(root);
        let output =
            curl.args(["-H", &format!("authorization: Bearer {key}"), "-d", body, &url]).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .parse()
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn browse(&self, script: &str, act: impl FnMut(&str) -> Value) {
        let root = self.hob.cli(&["trust", "export"]);
        assert!(root.status.success(), "{root:?}");
        Browser::trusting(&root.stdout).run(&self.lan, script, self.hob.lan_url.as_deref().unwrap(), act);
    }
}

/// What is done of which the script says nothing to us.
fn nothing(asked: &str) -> Value {
    panic!("{asked}?")
}

#[test]
fn a_person_claims_the_box_by_the_page_and_signs_in_later() {
    let house = House::unclaimed();
    house.browse("claim.mjs", |asked| match asked {
        "code" => {
            let status = house.status();
            json!({"code": status["setup_code"], "id": status["device"]["id"]})
        }
        other => nothing(other),
    });
}

#[test]
fn a_conversation_is_kept_on_the_box_branched_found_and_deleted() {
    House::with_model().browse("chat.mjs", nothing);
}

#[test]
fn whoever_signs_in_again_finds_what_they_left_and_nobody_what_somebody_else_did() {
    House::with_model().browse("people.mjs", nothing);
}

#[test]
fn a_first_model_is_got_by_the_box_itself_and_can_be_paused() {
    let registry = DockerRegistry::start();
    let name = format!("{}/me/small:latest", registry.host);
    let from = Hob::start_with(&[("HOB_REGISTRY__TRUSTED", &registry.host)]);
    for command in [vec!["cp", "smollm2", &name], vec!["push", "--insecure", &name]] {
        let done = from.cli(&command);
        assert!(done.status.success(), "{done:?}");
    }
    // Slow enough to be paused on the way.
    let settings = [("HOB_REGISTRY__TRUSTED", registry.host.as_str()), ("HOB_REGISTRY__LIMIT", "12MiB")];
    House::claimed_with(&settings).browse("pull.mjs", |asked| match asked {
        "registry" => json!({"name": name}),
        other => nothing(other),
    });
}

#[test]
fn a_key_is_made_and_revoked_and_a_member_comes_and_goes() {
    let house = House::with_model();
    house.browse("keys.mjs", |asked| {
        let key = asked.strip_prefix("chat by ").unwrap_or_else(|| panic!("{asked}?"));
        json!({"status": house.chat_by(key)})
    });
}

#[test]
fn an_owner_keeps_the_box_by_its_settings_a_backup_and_its_records() {
    House::claimed_with(&[]).browse("owner.mjs", nothing);
}

#[test]
fn from_signing_in_to_an_answer_the_keyboard_is_enough() {
    House::with_model().browse("keyboard.mjs", nothing);
}

#[test]
fn every_page_is_for_everybody_on_any_screen_light_and_dark_and_in_chinese() {
    House::with_model().browse("pages.mjs", nothing);
}

#[test]
fn lighthouse_finds_the_pages_accessible_and_well_made() {
    House::with_model().browse("lighthouse.mjs", nothing);
}

#[test]
fn what_a_model_says_never_becomes_markup() {
    let house = House::scripted();
    house.browse("hostile.mjs", |asked| match asked {
        "script" => json!(json!({"says": include_str!("../browser/hostile.md")}).to_string()),
        other => nothing(other),
    });
}

#[test]
fn a_page_outlives_its_worker_and_its_box() {
    let house = House::with_model();
    let root = house.hob.cli(&["trust", "export"]).stdout;
    let url = house.hob.lan_url.clone().unwrap();
    let mut hob = Some(house.hob);
    Browser::trusting(&root).run(&house.lan, "faults.mjs", &url, |asked| {
        match asked {
            "kill the worker" => hob.as_ref().unwrap().workers().into_iter().for_each(kill),
            "kill the daemon" => hob.as_mut().unwrap().kill(),
            "start the daemon" => hob = hob.take().map(Hob::killed_and_restarted),
            other => return nothing(other),
        }
        Value::Null
    });
}

#[test]
fn a_phone_on_a_slow_network_gets_on() {
    House::scripted().browse("slow.mjs", nothing);
}

#[test]
fn the_owner_sees_what_runs_now_and_ends_it() {
    House::scripted().browse("now.mjs", nothing);
}

#[test]
fn a_model_is_made_from_another_loaded_kept_copied_and_removed() {
    House::with_model().browse("models.mjs", nothing);
}

#[test]
fn two_models_answer_side_by_side_as_they_are_told_to() {
    let house = House::scripted();
    house.browse("talk.mjs", |asked| match asked {
        "a twin" => {
            house.make("twin", "FROM smollm2\n");
            Value::Null
        }
        other => nothing(other),
    });
}

#[test]
fn the_pictures_of_the_readme_are_made() {
    let house = House::with_model_and(&[("HOB_NAME", "Kitchen")]);
    house.browse("pictures.mjs", |asked| match asked {
        "more models" => {
            house.make("storyteller", "FROM smollm2\nSYSTEM You tell stories.\n");
            house.make("translator", "FROM smollm2\nSYSTEM You translate into Chinese.\n");
            Value::Null
        }
        other => nothing(other),
    });
}

fn kill(process: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGKILL).unwrap();
}
