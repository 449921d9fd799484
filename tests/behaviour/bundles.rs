//! Models on a stick: out of one box, into another, with no network between them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use behaviour::server::{Model, Reply, Server, digest};
use behaviour::{Hob, PATIENCE, command};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Why it was refused; a model of that name is not there.
#[track_caller]
fn refused(hob: &Hob, output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(hob.get("/api/tags").json()["models"], json!([]));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Waits for what must come, and is nothing that tells.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::yield_now();
    }
}

fn digest_of(hob: &Hob, model: &str) -> Value {
    let tags = hob.get("/api/tags").json();
    let mut models = tags["models"].as_array().unwrap().iter();
    models.find(|listed| listed["model"] == model).unwrap()["digest"].clone()
}

fn doctor(hob: &Hob) -> String {
    succeeded(&hob.cli(&["doctor", "--store"]))
}

#[expect(clippy::disallowed_methods, reason = "tests start the programs of a user")]
fn minisign(args: &[&str]) -> Output {
    let output = Command::new("minisign").args(args).stdin(Stdio::null()).output();
    output.expect("minisign is missing: run scripts/setup tests")
}

/// Keys in this folder; its public one as text.
fn keys(folder: &Path, name: &str) -> (PathBuf, PathBuf, String) {
    let [secret, public] = ["key", "pub"].map(|ending| folder.join(format!("{name}.{ending}")));
    succeeded(&minisign(&["-G", "-W", "-p", text(&public), "-s", text(&secret)]));
    let key = fs::read_to_string(&public).unwrap().lines().nth(1).unwrap().to_owned();
    (secret, public, key)
}

#[test]
fn a_model_leaves_in_a_folder_and_in_a_file_and_comes_back_as_it_was() {
    let hob = Hob::start();
    succeeded(&hob.cli(&["cp", "smollm2", "me/second:tag"]));
    let before = digest_of(&hob, "smollm2:latest");
    let stick = TempDir::new().unwrap();
    let (folder, archive) = (stick.path().join("models/"), stick.path().join("models.tar"));

    for to in [format!("{}/", folder.display()), text(&archive).to_owned()] {
        let exported = hob.cli(&["export", "smollm2", "me/second:tag", &to]);
        assert_eq!(succeeded(&exported), "", "data alone is for standard output");
        let said = String::from_utf8_lossy(&exported.stderr).into_owned();
        assert!(said.contains("exported 'smollm2:latest', 'me/second:tag'"), "{said}");
    }

    let mut names: Vec<_> =
        fs::read_dir(stick.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["models", "models.tar"], "nothing is left beside them");
    let contents: Value = serde_json::from_slice(&fs::read(folder.join("bundle.json")).unwrap()).unwrap();
    assert_eq!(contents["version"], 1);
    assert_eq!(contents["models"][0]["name"], "registry.ollama.ai/library/smollm2:latest");
    for blob in contents["blobs"].as_array().unwrap() {
        let name = blob["digest"].as_str().unwrap();
        let bytes = fs::read(folder.join("blobs").join(name.replace(':', "-"))).unwrap();
        assert_eq!((digest(&bytes).as_str(), bytes.len() as u64), (name, blob["bytes"].as_u64().unwrap()));
    }
    for from in [&folder, &archive] {
        succeeded(&hob.cli(&["rm", "smollm2", "me/second:tag"]));
        assert_eq!(fs::read_dir(hob.home.path().join(".local/share/hob/models/blobs")).unwrap().count(), 0);
        let imported = succeeded(&hob.cli(&["import", text(from)]));
        assert_eq!(imported, "imported 'smollm2:latest'\nimported 'me/second:tag'\n");
        assert_eq!(digest_of(&hob, "smollm2:latest"), before);
        assert_eq!(hob.ask("Why is the sky blue?", 8)["eval_count"], 8);
    }
    assert!(doctor(&hob).contains("2 models"), "{}", doctor(&hob));
    assert!(doctor(&hob).contains("0 problems"), "{}", doctor(&hob));
}

#[test]
fn a_bundle_goes_through_a_pipe_to_a_box_that_has_some_of_it() {
    let from = Hob::start();
    let modelfile = from.home.path().join("Modelfile");
    fs::write(&modelfile, "FROM smollm2\nSYSTEM Be brief.\n").unwrap();
    succeeded(&from.cli(&["create", "brief", "-f", text(&modelfile)]));
    let (there, empty) = (Hob::start(), Hob::start_empty(&[]));

    for to in [&there, &empty] {
        let mut export =
            from.command().args(["export", "brief", "-"]).stdout(Stdio::piped()).spawn().unwrap();
        let pipe = Stdio::from(export.stdout.take().unwrap());
        let imported = to.command().args(["import", "-"]).stdin(pipe).output().unwrap();

        assert_eq!(succeeded(&imported), "imported 'brief:latest'\n");
        assert!(export.wait().unwrap().success());
        assert_eq!(digest_of(to, "brief:latest"), digest_of(&from, "brief:latest"));
    }
    assert!(doctor(&there).contains("2 models") && doctor(&there).contains("0 problems"));
}

/// What is fed to it stops in the middle.
fn importing(hob: &Hob, archive: &[u8]) -> (Child, std::process::ChildStdin) {
    let mut import = hob.command().args(["import", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = import.stdin.take().unwrap();
    pipe.write_all(archive).unwrap();
    pipe.flush().unwrap();
    (import, pipe)
}

#[test]
fn an_import_that_was_broken_off_goes_on_and_leaves_no_half_of_a_model() {
    let from = Hob::start();
    let stick = TempDir::new().unwrap();
    let archive = stick.path().join("models.tar");
    succeeded(&from.cli(&["export", "smollm2", text(&archive)]));
    let mut bytes = fs::read(&archive).unwrap();
    let weights = {
        let manifest = bytes.windows(4).position(|window| window == b"GGUF").unwrap();
        manifest..manifest + 98_362_432
    };
    let name = digest(&bytes[weights.clone()]);
    let hob = Hob::start_empty(&[]);

    // In the middle of a blob, of which nothing is kept.
    let (mut import, pipe) = importing(&hob, &bytes[..weights.start + (50 << 20)]);
    import.kill().unwrap();
    import.wait().unwrap();
    drop(pipe);
    assert_eq!(hob.get("/api/tags").json()["models"], json!([]));
    // After it, and before the others.
    let (mut import, pipe) = importing(&hob, &bytes[..weights.end.next_multiple_of(512)]);
    let is_there = || {
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        client.head(format!("{}/api/blobs/{name}", hob.url)).send().unwrap().status() == 200
    };
    until("the blob", is_there);
    import.kill().unwrap();
    import.wait().unwrap();
    drop(pipe);
    assert_eq!(hob.get("/api/tags").json()["models"], json!([]));

    // What is there is not sent again: the file does not have it any more.
    bytes[weights].fill(0);
    fs::write(&archive, &bytes).unwrap();
    succeeded(&hob.cli(&["import", text(&archive)]));

    assert_eq!(digest_of(&hob, "smollm2:latest"), digest_of(&from, "smollm2:latest"));
    assert_eq!(hob.ask("Hi", 3)["eval_count"], 3);
    // Nobody else takes it for what it was.
    let other = Hob::start_empty(&[]);
    let why = refused(&other, &other.cli(&["import", text(&archive)]));
    assert!(why.contains("digest mismatch") && why.contains("blobs/sha256-"), "{why}");
}

fn exporting(server: &Server, home: &Path, to: &Path) -> Command {
    let mut export = command(home);
    export.env("HOB_HOST", format!("http://{}", server.host)).args(["export", "model", text(to)]);
    export
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_export_that_was_broken_off_goes_on_and_names_nothing_that_is_not_whole() {
    let model = Model::of(8 << 20);
    let config = digest(&model.config);
    let served = model.clone();
    // The last blob never ends.
    let stalling = Server::start(move |asked| match asked.path.ends_with(&config) {
        true => Reply { claimed_length: Some(served.config.len() as u64), ..Reply::of(200).body("{") },
        false => served.answer(asked),
    });
    let served = model.clone();
    let whole = Server::start(move |asked| served.answer(asked));
    let (home, stick) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (folder, archive) = (stick.path().join("bundle"), stick.path().join("bundle.tar"));
    fs::create_dir(&folder).unwrap();
    let blobs = folder.join("blobs");
    let weights = blobs.join(digest(&model.weights).replace(':', "-"));
    let is_stuck = || stalling.asked().iter().filter(|asked| asked.is_blob()).count();

    let mut killed = exporting(&stalling, home.path(), &folder).spawn().unwrap();
    stalling.await_blobs(2);
    killed.kill().unwrap();
    killed.wait().unwrap();

    let is_staged = |name: &&String| name.starts_with(".staged-");
    assert_eq!(listed(&folder), ["blobs"], "it is no bundle yet");
    assert!(listed(&blobs).iter().filter(is_staged).count() <= 1);
    assert_eq!(digest(&fs::read(&weights).unwrap()), digest(&model.weights));
    let inode = fs::metadata(&weights).unwrap().ino();
    succeeded(&exporting(&whole, home.path(), &folder).output().unwrap());
    assert_eq!(listed(&folder), ["blobs", "bundle.json"]);
    assert_eq!(listed(&blobs).iter().filter(is_staged).count(), 0);
    assert_eq!(fs::metadata(&weights).unwrap().ino(), inode, "what was whole stayed");
    assert_eq!(whole.asked().iter().filter(|asked| asked.is_blob()).count(), 1);

    // Of the same length, and damaged.
    let mut damaged = fs::read(&weights).unwrap();
    damaged[4711] ^= 1;
    fs::write(&weights, &damaged).unwrap();
    succeeded(&exporting(&whole, home.path(), &folder).output().unwrap());
    assert_eq!(digest(&fs::read(&weights).unwrap()), digest(&model.weights));

    for (to, place) in [(&archive, stick.path()), (&folder, blobs.as_path())] {
        fs::remove_file(blobs.join(digest(&model.config).replace(':', "-"))).unwrap_or(());
        let before = is_stuck();
        let left = listed(place);
        let stopped = exporting(&stalling, home.path(), to).stderr(Stdio::piped()).spawn().unwrap();
        stalling.await_blobs(before + 1);
        until("the last blob", || listed(place).len() > left.len());
        kill(Pid::from_raw(stopped.id().cast_signed()), Signal::SIGINT).unwrap();
        let output = stopped.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("stopped"), "{said}");
        assert_eq!(listed(place), left, "what is half is gone");
    }
    // A part that a power cut left is begun anew.
    fs::write(stick.path().join("bundle.tar.part"), "half").unwrap();
    succeeded(&exporting(&whole, home.path(), &archive).output().unwrap());
    assert_eq!(listed(stick.path()), ["bundle", "bundle.tar"]);
}

#[test]
fn a_daemon_that_sends_something_else_gets_no_bundle_made_of_it() {
    let model = Model::of(1 << 20);
    let served = model.clone();
    let server = Server::start(move |asked| {
        let reply = served.answer(asked);
        let wrong = asked.is_blob() && reply.body.len() > 1000;
        if wrong { Reply { body: vec![7; reply.body.len()], ..reply } } else { reply }
    });
    let (home, stick) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for to in [stick.path().join("bundle.tar"), stick.path().join("bundle")] {
        fs::create_dir_all(stick.path().join("bundle")).unwrap();
        let output = exporting(&server, home.path(), &to).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("in place of sha256:"), "{said}");
    }
    assert_eq!(listed(stick.path()), ["bundle"]);
    assert!(!stick.path().join("bundle/bundle.json").exists());
}

#[test]
fn a_bundle_is_signed_and_checked_as_minisign_does_it() {
    let hob = Hob::start();
    let stick = TempDir::new().unwrap();
    let (secret, public, key) = keys(stick.path(), "mine");
    let (_, others, _) = keys(stick.path(), "others");
    let (folder, archive) = (stick.path().join("bundle"), stick.path().join("bundle.tar"));
    fs::create_dir(&folder).unwrap();
    for to in [&folder, &archive] {
        succeeded(&hob.cli(&["export", "smollm2", text(to), "--sign", text(&secret)]));
    }
    let contents = folder.join("bundle.json");

    let checked = minisign(&["-V", "-p", text(&public), "-m", text(&contents)]);
    let said = succeeded(&checked);
    assert!(said.contains("Trusted comment: hob ") && said.contains("a bundle of models, 20"), "{said}");

    let other = Hob::start_empty(&[]);
    let import = |from: &Path, key: &str| other.cli(&["import", text(from), "--key", key]);
    let (foreign, nobody) = (import(&folder, text(&others)), import(&archive, "RWQnobody"));
    assert!(refused(&other, &foreign).contains("not by key"), "{foreign:?}");
    assert!(refused(&other, &nobody).contains("is no public key"), "{nobody:?}");
    // By the key itself, and by its file.
    let proven = import(&archive, &key);
    succeeded(&proven);
    assert!(String::from_utf8_lossy(&proven.stderr).contains("signed: hob "), "{proven:?}");
    let unasked = other.cli(&["import", text(&folder)]);
    succeeded(&unasked);
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("which was not checked"), "{unasked:?}");
    succeeded(&other.cli(&["rm", "smollm2"]));

    // Signed by minisign's own hand, it is as good.
    let own = minisign(&["-S", "-s", text(&secret), "-m", text(&contents), "-t", "by hand"]);
    succeeded(&own);
    let by_hand = import(&folder, text(&public));
    succeeded(&by_hand);
    assert!(String::from_utf8_lossy(&by_hand.stderr).contains("signed: by hand"), "{by_hand:?}");
    succeeded(&other.cli(&["rm", "smollm2"]));

    let text_of = fs::read_to_string(&contents).unwrap();
    fs::write(&contents, text_of.replace("\"written\": \"2", "\"written\": \"3")).unwrap();
    assert!(refused(&other, &import(&folder, &key)).contains("the signature is not good"));
    fs::write(&contents, &text_of).unwrap();
    fs::remove_file(folder.join("bundle.json.minisig")).unwrap();
    assert!(refused(&other, &import(&folder, &key)).contains("is not signed"));
    // An export without a key leaves no signature of what was there before.
    succeeded(&hob.cli(&["export", "smollm2", text(&folder), "--sign", text(&secret)]));
    succeeded(&hob.cli(&["export", "smollm2", text(&folder)]));
    assert_eq!(listed(&folder), ["blobs", "bundle.json"]);
}

#[test]
fn a_key_with_a_password_is_opened_by_it_alone() {
    let model = Model::of(1000);
    let server = Server::start(move |asked| model.answer(asked));
    let (home, stick) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [secret, public, password, to] =
        ["sealed.key", "sealed.pub", "password", "bundle/"].map(|name| stick.path().join(name));
    // Made by minisign, with the password `pw`.
    fs::write(&secret, "untrusted comment: minisign encrypted secret key\nRWRTY0IyeABEL0bHZjz519m+y6bdz+0Y0dkYjSQLz2yRCNr4Rh0AAAACAAAAAAAAAEAAAAAA/dO1YrmZvqo9TSCgGKnvX/ppfHHozXfAs4vZMqcPKphjyzasA5b1m3RtA/50OOhX5BGsOCcO/fg0ThIR30mTCV2XVbl80EfoMFooO/CMQEVwqZCQB+BBbkqL5dtHlrEMIBOq0t14/hE=\n").unwrap();
    fs::write(&public, "untrusted comment: minisign public key 95586F0C93C2ADAE\nRWSurcKTDG9YlYENzzS9ope+U6zlXjDhDuEPJco49MzGAUq8FZITaJ/U\n").unwrap();
    let export = |password_file: Option<&Path>| {
        let mut export = exporting(&server, home.path(), &to);
        export.args(["--sign", text(&secret)]).stdin(Stdio::null());
        if let Some(file) = password_file {
            export.args(["--password-file", text(file)]);
        }
        export.output().unwrap()
    };

    let unasked = export(None);
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("no terminal to ask"), "{unasked:?}");
    fs::write(&password, "wrong\n").unwrap();
    let wrong = export(Some(&password));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the password is wrong"), "{wrong:?}");
    assert!(!to.exists(), "nothing was written for a key that cannot be used");
    fs::write(&password, "pw\n").unwrap();
    succeeded(&export(Some(&password)));

    succeeded(&minisign(&["-V", "-p", text(&public), "-m", text(&to.join("bundle.json"))]));
}

#[test]
fn what_is_no_bundle_or_not_as_it_was_is_refused_and_says_why() {
    let from = Hob::start();
    let hob = Hob::start_empty(&[]);
    let stick = TempDir::new().unwrap();
    let (folder, archive) = (stick.path().join("bundle"), stick.path().join("bundle.tar"));
    fs::create_dir(&folder).unwrap();
    for to in [&folder, &archive] {
        succeeded(&from.cli(&["export", "smollm2", text(to)]));
    }
    let import = |from: &Path| refused(&hob, &hob.cli(&["import", text(from)]));
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let path = stick.path().join("changed.tar");
        let mut bytes = fs::read(&archive).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        import(&path)
    };

    let bits = |bytes: &mut Vec<u8>| bytes[40 << 20] ^= 1;
    assert!(changed(&bits).contains("digest mismatch"));
    assert!(changed(&|bytes| bytes.truncate(40 << 20)).contains("ends in the middle"));
    assert!(changed(&|bytes| bytes.truncate(0)).contains("is no bundle"));
    assert!(changed(&|bytes| bytes.fill(7)).contains("is no bundle"));
    assert!(import(&stick.path().join("nothing.tar")).contains("No such file"));
    assert!(import(stick.path()).contains("is no bundle"), "a folder without bundle.json");
    // What was sent of those is in no model, and nothing of them is anything else.
    assert!(doctor(&hob).contains("0 problems"), "{}", doctor(&hob));

    let blobs = folder.join("blobs");
    let weights = fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path());
    let weights = weights.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let aside = stick.path().join("aside");
    fs::copy(&weights, &aside).unwrap();
    fs::remove_file(&weights).unwrap();
    assert!(import(&folder).contains("is missing in the bundle"));
    symlink(&aside, &weights).unwrap();
    assert!(import(&folder).contains("a symbolic link"));
    fs::remove_file(&weights).unwrap();
    nix::unistd::mkfifo(&weights, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(import(&folder).contains("no ordinary file"));
    fs::remove_file(&weights).unwrap();
    fs::write(&weights, "short").unwrap();
    assert!(import(&folder).contains("should have 98362432 bytes, and has 5"));
}

#[test]
fn a_bundle_is_no_way_around_what_makes_a_model() {
    let hob = Hob::start_empty(&[]);
    let stick = TempDir::new().unwrap();
    let home = TempDir::new().unwrap();
    // Its weights are no GGUF.
    let model = Model::of(4096);
    let server = Server::start(move |asked| model.answer(asked));
    let archive = stick.path().join("bundle.tar");
    succeeded(&exporting(&server, home.path(), &archive).output().unwrap());

    let why = refused(&hob, &hob.cli(&["import", text(&archive)]));

    assert!(why.contains("'model:latest' was not imported") && why.contains("GGUF"), "{why}");
}

#[test]
fn a_folder_keeps_the_bundle_that_it_has() {
    let hob = Hob::start();
    succeeded(&hob.cli(&["cp", "smollm2", "second"]));
    let stick = TempDir::new().unwrap();
    let (to, contents) = (text(stick.path()), stick.path().join("bundle.json"));
    fs::write(&contents, "{}").unwrap();
    let export = |models: &[&str]| hob.cli(&[&["export"], models, &[to]].concat());

    let strange = export(&["smollm2"]);
    assert!(String::from_utf8_lossy(&strange.stderr).contains("was left as it is"), "{strange:?}");
    assert_eq!(fs::read(&contents).unwrap(), b"{}");
    fs::remove_file(&contents).unwrap();
    succeeded(&export(&["smollm2"]));
    let other = export(&["second"]);
    assert!(
        String::from_utf8_lossy(&other.stderr).contains("has a bundle with 'smollm2:latest'"),
        "{other:?}"
    );
    succeeded(&export(&["second", "smollm2"]));

    let unknown = export(&["nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("'nobody:latest'"), "{unknown:?}");
    let meant = hob.cli(&["export", "smollm2", "second"]);
    assert!(String::from_utf8_lossy(&meant.stderr).contains("second.tar makes an archive"), "{meant:?}");
}

#[test]
fn an_archive_of_a_bare_name_lies_in_the_current_folder_and_is_written_over_only_if_that_is_meant() {
    let hob = Hob::start();
    let folder = TempDir::new().unwrap();
    let export = |more: &[&str]| {
        let mut command = hob.command();
        command.current_dir(folder.path()).args(["export", "smollm2", "m.tar"]).args(more);
        command.output().unwrap()
    };

    succeeded(&export(&[]));
    assert_eq!(listed(folder.path()), ["m.tar"]);
    let again = export(&[]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && said.contains("m.tar is there already"), "{again:?}");
    succeeded(&export(&["--force"]));

    let untagged = hob.cli(&["export", "smollm2:7b", "-"]);
    let said = String::from_utf8_lossy(&untagged.stderr);
    assert!(!untagged.status.success() && said.contains("'smollm2:7b'"), "{untagged:?}");
    assert!(!said.contains("registry.ollama.ai"), "{said}");
}

#[test]
fn an_import_that_a_full_disk_has_no_room_for_says_so_before_anything_is_sent() {
    let (from, stick) = (Hob::start(), TempDir::new().unwrap());
    succeeded(&from.cli(&["export", "smollm2", text(stick.path())]));
    let models = TempDir::new().unwrap();
    system("mount", &["-t", "tmpfs", "-o", "size=32m", "none", text(models.path())]);
    let to = Hob::start_empty(&[("HOB_MODELS__DIR", text(models.path())), ("HOB_MODELS__KEEP_FREE", "0")]);
    let output = to.cli(&["import", text(stick.path())]);
    drop(to);
    system("umount", &[text(models.path())]);

    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("hint: hob rm makes room"), "{said}");
    assert!(!said.contains("connection to hob failed"), "{said}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "as somebody would move it")]
fn a_bundle_is_not_read_through_a_link_to_its_blobs() {
    let (from, to, stick) = (Hob::start(), Hob::start_empty(&[]), TempDir::new().unwrap());
    succeeded(&from.cli(&["export", "smollm2", text(stick.path())]));
    let (blobs, elsewhere) = (stick.path().join("blobs"), stick.path().join("elsewhere"));
    fs::rename(&blobs, &elsewhere).unwrap();
    symlink(&elsewhere, &blobs).unwrap();

    let said = refused(&to, &to.cli(&["import", text(stick.path())]));

    assert!(said.contains("behind a symbolic link"), "{said}");
}

#[expect(clippy::disallowed_methods, reason = "tests start the programs of a user")]
fn system(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_full_stick_and_one_for_short_files_say_what_to_do() {
    let hob = Hob::start();
    let stick = TempDir::new().unwrap();
    system("mount", &["-t", "tmpfs", "-o", "size=32m", "none", text(stick.path())]);
    let archive = stick.path().join("bundle.tar");
    let full: Vec<Output> =
        [stick.path(), &archive].map(|to| hob.cli(&["export", "smollm2", text(to)])).into_iter().collect();
    let left = listed(stick.path());
    system("umount", &[text(stick.path())]);

    for output in full {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no room in") && said.contains("hint: make room"), "{said}");
    }
    assert_eq!(left, ["blobs"]);
    // As FAT refuses what is longer than it can say.
    let executable = behaviour::executable();
    let command = format!(
        "trap '' XFSZ; ulimit -f 65536; exec {} export smollm2 {}",
        executable.display(),
        archive.display()
    );
    let mut shell = hob.command();
    let environment: Vec<_> =
        shell.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    shell = sh(&command);
    let output = shell.envs(environment).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("takes no file as long as that; name a folder"), "{said}");
    assert_eq!(listed(stick.path()), Vec::<String>::new());
}

#[expect(clippy::disallowed_methods, reason = "tests start the programs of a user")]
fn sh(command: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", command]).env_clear();
    shell
}
