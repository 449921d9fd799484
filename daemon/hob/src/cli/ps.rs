//! `hob ps`: the models that are loaded.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    client::Client,
    human,
    list::{Arguments, models, short_id, table},
    say,
};

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let answer = client.get("/api/ps").await?;
    // Another server that speaks Ollama's API has none.
    let activity = client.get("/admin/api/models").await.unwrap_or_default();
    let mut states: Vec<(String, String)> = models(&activity).iter().filter_map(state).collect();
    for (name, on) in models(&answer).iter().filter_map(elsewhere) {
        match states.iter_mut().find(|(known, _)| *known == name) {
            Some((_, words)) => *words = format!("{on}, {words}"),
            None => states.push((name, on)),
        }
    }
    let mut rows = vec![["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"].map(str::to_owned).to_vec()];
    if states.iter().any(|(name, _)| arguments.admits(name)) {
        rows[0].push("STATE".to_owned());
    }
    for model in models(&answer) {
        let name = model["name"].as_str().unwrap_or_default();
        if arguments.admits(name) {
            let size = model["size"].as_u64().unwrap_or_default();
            rows.push(vec![
                name.to_owned(),
                short_id(model),
                human::size(size),
                processor(size, model["size_vram"].as_u64().unwrap_or_default()),
                model["context_length"].as_u64().unwrap_or_default().to_string(),
                until(model, Timestamp::now()),
            ]);
            if let Some(at) = states.iter().position(|(known, _)| known == name) {
                rows.last_mut().into_iter().for_each(|row| row.push(states[at].1.clone()));
                states.remove(at);
            }
        }
    }
    // Those that are not in memory.
    for (name, state) in states.into_iter().filter(|(name, _)| arguments.admits(name)) {
        let mut row = vec![String::new(); 7];
        (row[0], row[6]) = (name, state);
        rows.push(row);
    }
    say(&table(&rows));
    if let Some(borrower) = activity["lent"]["to"].as_str() {
        let size = human::size(activity["lent"]["size"].as_u64().unwrap_or_default());
        say(&format!("\n{size} of this box are lent to {borrower}, for a part of a model there."));
    }
    Ok(())
}

/// A model's name and which boxes have a part of it, if any do.
fn elsewhere(model: &Value) -> Option<(String, String)> {
    let parts = model["parts"].as_array()?.iter();
    let parts: Vec<String> = parts
        .filter_map(|part| Some(format!("{} layers on {}", part["layers"].as_u64()?, part["on"].as_str()?)))
        .collect();
    (!parts.is_empty()).then(|| (model["name"].as_str().unwrap_or_default().to_owned(), parts.join(", ")))
}

/// A model's name and what is to be said of it beyond that it is in memory, if anything is.
fn state(model: &Value) -> Option<(String, String)> {
    let count = |field: &str| model[field].as_u64().unwrap_or_default();
    let mut words = Vec::new();
    match model["state"].as_str()? {
        "loaded" | "absent" => {}
        "quarantined" => words.push(format!("quarantined: {}", model["reason"].as_str().unwrap_or_default())),
        state => words.push(state.to_owned()),
    }
    for (number, word) in [(count("running"), "answering"), (count("waiting"), "waiting")] {
        if number > 0 {
            words.push(format!("{number} {word}"));
        }
    }
    (!words.is_empty()).then(|| (model["name"].as_str().unwrap_or_default().to_owned(), words.join(", ")))
}

fn processor(size: u64, on_gpu: u64) -> String {
    if size == 0 || on_gpu > size {
        return "Unknown".to_owned();
    }
    match on_gpu {
        0 => "100% CPU".to_owned(),
        gpu if gpu == size => "100% GPU".to_owned(),
        gpu => {
            let cpu_percent = ((size - gpu) as f64 / size as f64 * 100.0).round();
            format!("{cpu_percent}%/{}% CPU/GPU", 100.0 - cpu_percent)
        }
    }
}

fn until(model: &Value, now: Timestamp) -> String {
    match model["expires_at"].as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(time) => human::until(time.as_second() - now.as_second()),
        None => "Forever".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::processor;

    #[test]
    fn the_split_between_processors_is_rounded() {
        assert_eq!(processor(100, 0), "100% CPU");
        assert_eq!(processor(100, 100), "100% GPU");
        assert_eq!(processor(100, 52), "48%/52% CPU/GPU");
        assert_eq!(processor(0, 0), "Unknown");
    }
}
