//! Two boxes that know nothing of each other, and what the README has their owner do: each line of it in its order.

use behaviour::lan::Street;
use behaviour::pairs::House;
use behaviour::{executable, model_file};
use tempfile::TempDir;

#[test]
fn the_commands_of_the_readme_for_boxes_beside_each_other_work_in_their_order() {
    let mut street = Street::new();
    let (a, b) = (House::claimed(&mut street, &[]), House::claimed(&mut street, &[]));
    let stick = TempDir::new().unwrap();
    a.create("smollm2", &model_file());
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let section = readme.split("## Boxes beside each other").nth(1).unwrap().split("```").nth(1).unwrap();
    let (device, mut code) = (a.status()["device"].clone(), String::new());
    let mut ran = 0;

    for line in section.lines() {
        let Some((at, line)) = line.split_once("$ ") else { continue };
        let house = if at == "a" { &a } else { &b };
        let line = line
            .replace("7N4K-QX5D-W2MR-PL", device["short"].as_str().unwrap())
            .replace("hob-7n4k", device["label"].as_str().unwrap())
            .replace("K7RM-4XWP", &code)
            .replace("/media/stick", stick.path().to_str().unwrap());
        let folder = executable().parent().unwrap().display().to_string();
        let mut shell = house.machine.command("bash");
        shell.args(["-ec", &line]).env_clear().env("HOME", house.hob.home.path());
        shell.env("HOB_HOST", &house.hob.url).env("PATH", format!("{folder}:/usr/sbin:/usr/bin:/bin"));
        let output = shell.stdin(std::process::Stdio::null()).output().unwrap();

        assert!(output.status.success(), "{line}\n{output:?}");
        if line.contains("--invite") {
            code = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        ran += 1;
    }

    assert!(ran >= 8, "{section}");
    assert!(b.say(&["list"]).contains("smollm2"));
}
