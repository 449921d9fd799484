//! The options of Ollama's table (`PARAMETER` of a Modelfile, `options` of its API), typed and ranged. Layers of
//! [`OptionPatch`] (Modelfile, then request) are laid over each other and then over the defaults.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How to sample, and when to stop. Every field is in range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// 0 is greedy.
    pub temperature: f32,
    /// Candidates kept; 0 keeps all.
    pub top_k: u32,
    /// Probability mass kept.
    pub top_p: f32,
    /// Least probability kept, relative to the best.
    pub min_p: f32,
    /// Locally typical mass; 1 is off.
    pub typical_p: f32,
    /// Tokens that the penalties look back; `None` is the whole context.
    pub repeat_last_n: Option<u32>,
    /// Divides the logits of seen tokens; 1 is off.
    pub repeat_penalty: f32,
    /// Taken off the logit of a seen token, once.
    pub presence_penalty: f32,
    /// Taken off the logit of a seen token, for each time seen.
    pub frequency_penalty: f32,
    /// `None` draws one, and so does llama.cpp for the last of all numbers, which is none here.
    pub seed: Option<u32>,
    /// Strings that end the answer; never part of it.
    pub stop: Vec<String>,
    /// Tokens at most; `None` is up to ten contexts. With 0 the prompt is read, and nothing said.
    pub num_predict: Option<u32>,
    /// Tokens at the start that truncation spares.
    pub num_keep: u32,
    /// Tokens that a draft model guesses at once, to begin with; with 0 it guesses none.
    pub draft_tokens: u32,
    /// Whether an answer goes on when the context is full, which forgets the older half of it.
    pub shift: bool,
    /// Added to the logits of these tokens, from -100, which as good as forbids one, to 100, which as good as insists on it.
    /// Not in Ollama's table, so no layer speaks of it.
    pub logit_bias: Vec<(i32, f32)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.9,
            min_p: 0.0,
            typical_p: 1.0,
            repeat_last_n: Some(64),
            repeat_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: None,
            stop: Vec::new(),
            num_predict: None,
            num_keep: 4,
            draft_tokens: 4,
            shift: true,
            logit_bias: Vec::new(),
        }
    }
}

/// What one layer says; a field that is absent is left to the layer below.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionPatch {
    /// Sampling temperature.
    pub temperature: Option<f32>,
    /// See [`Options::top_k`].
    pub top_k: Option<u32>,
    /// See [`Options::top_p`].
    pub top_p: Option<f32>,
    /// See [`Options::min_p`].
    pub min_p: Option<f32>,
    /// See [`Options::typical_p`].
    pub typical_p: Option<f32>,
    /// −1 is the whole context, 0 is off.
    pub repeat_last_n: Option<i32>,
    /// See [`Options::repeat_penalty`].
    pub repeat_penalty: Option<f32>,
    /// See [`Options::presence_penalty`].
    pub presence_penalty: Option<f32>,
    /// See [`Options::frequency_penalty`].
    pub frequency_penalty: Option<f32>,
    /// Negative draws one.
    pub seed: Option<i64>,
    /// See [`Options::stop`].
    pub stop: Option<Vec<String>>,
    /// Negative is up to ten contexts.
    pub num_predict: Option<i64>,
    /// See [`Options::num_keep`].
    pub num_keep: Option<u32>,
    /// Load: context of one sequence in tokens.
    pub num_ctx: Option<u32>,
    /// Load: prompt tokens in one step at most.
    pub num_batch: Option<u32>,
    /// Load: model blocks on GPUs; −1 is automatic.
    pub num_gpu: Option<i32>,
    /// Load: the GPU that holds what is not split.
    pub main_gpu: Option<u32>,
    /// Load: map the file.
    pub use_mmap: Option<bool>,
    /// Load: compute threads; 0 is automatic.
    pub num_thread: Option<u32>,
    /// Tokens that a draft model guesses at once.
    pub draft_num_predict: Option<u32>,
}

/// Why an option was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// No option goes by this name.
    #[error("unknown parameter '{0}'")]
    Unknown(String),
    /// The value has the wrong JSON type.
    #[error("option \"{name}\" must be of type {expected}")]
    Type {
        /// The option.
        name: String,
        /// In Ollama's words: integer, float32, boolean, array.
        expected: &'static str,
    },
    /// The value of a Modelfile's PARAMETER is not of its type.
    #[error("invalid {expected} value [{value}]")]
    Text {
        /// int, float or bool.
        expected: &'static str,
        /// As written.
        value: String,
    },
    /// The value is of the right type and out of range.
    #[error("option \"{name}\" is {value}, it must be {expected}")]
    Range {
        /// The option.
        name: String,
        /// As given.
        value: String,
        /// The range in words.
        expected: &'static str,
    },
}

/// Accepted by name for the sake of old Modelfiles, and without effect.
const DEPRECATED: &[&str] = &[
    "penalize_newline",
    "low_vram",
    "f16_kv",
    "logits_all",
    "vocab_only",
    "use_mlock",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "numa",
    "tfs_z",
];

impl OptionPatch {
    /// Sets one option by its name in Ollama's table. Floats given for integers are truncated, as there.
    ///
    /// # Errors
    /// [`InvalidOption`] names the option and what it takes; nothing was set.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), InvalidOption> {
        match name {
            "temperature" => self.temperature = Some(float(name, value, 0.0, 1e6, "0 or more")?),
            "top_k" => self.top_k = Some(integer(name, value, 0, i32::MAX as i64, "0 or more")? as u32),
            "top_p" => self.top_p = Some(float(name, value, 0.0, 1.0, "from 0 to 1")?),
            "min_p" => self.min_p = Some(float(name, value, 0.0, 1.0, "from 0 to 1")?),
            "typical_p" => self.typical_p = Some(float(name, value, 0.0, 1.0, "from 0 to 1")?),
            "repeat_last_n" => {
                self.repeat_last_n = Some(integer(name, value, -1, i32::MAX as i64, "-1 or more")? as i32);
            }
            "repeat_penalty" => self.repeat_penalty = Some(float(name, value, 1e-6, 1e6, "above 0")?),
            "presence_penalty" => self.presence_penalty = Some(float(name, value, -1e6, 1e6, "a number")?),
            "frequency_penalty" => self.frequency_penalty = Some(float(name, value, -1e6, 1e6, "a number")?),
            "seed" => self.seed = Some(integer(name, value, i64::MIN, i64::MAX, "an integer")?),
            "stop" => self.stop = Some(strings(name, value)?),
            "num_predict" => self.num_predict = Some(integer(name, value, i64::MIN, i64::MAX, "an integer")?),
            "num_keep" => {
                self.num_keep = Some(integer(name, value, -1, i32::MAX as i64, "0 or more")?.max(0) as u32);
            }
            "num_ctx" => {
                self.num_ctx =
                    Some(integer(name, value, 1, MAX_CONTEXT, "from 1 to 16777216")?.max(4) as u32);
            }
            "num_batch" => self.num_batch = Some(integer(name, value, 1, 1 << 16, "from 1 to 65536")? as u32),
            "num_gpu" => self.num_gpu = Some(integer(name, value, -1, 1 << 16, "-1 or more")? as i32),
            "main_gpu" => self.main_gpu = Some(integer(name, value, 0, 255, "from 0 to 255")? as u32),
            "num_thread" => self.num_thread = Some(integer(name, value, 0, 1024, "from 0 to 1024")? as u32),
            "draft_num_predict" => {
                self.draft_num_predict = Some(integer(name, value, 0, 1024, "from 0 to 1024")? as u32);
            }
            "use_mmap" => self.use_mmap = Some(value.as_bool().ok_or_else(|| wrong_type(name, "boolean"))?),
            _ if DEPRECATED.contains(&name) => {}
            _ => return Err(InvalidOption::Unknown(name.into())),
        }
        Ok(())
    }

    /// Sets one option from the text of a Modelfile's `PARAMETER` (or the console's `/set parameter`). `stop` accumulates.
    ///
    /// # Errors
    /// [`InvalidOption`]; nothing was set.
    pub fn set_text(&mut self, name: &str, text: &str) -> Result<(), InvalidOption> {
        if name == "stop" {
            self.stop.get_or_insert_default().push(text.into());
            return Ok(());
        }
        self.set(name, &parse_text(name, text)?)
    }

    /// Lays `upper` over this layer.
    #[must_use]
    pub fn overlaid(self, upper: Self) -> Self {
        Self {
            temperature: upper.temperature.or(self.temperature),
            top_k: upper.top_k.or(self.top_k),
            top_p: upper.top_p.or(self.top_p),
            min_p: upper.min_p.or(self.min_p),
            typical_p: upper.typical_p.or(self.typical_p),
            repeat_last_n: upper.repeat_last_n.or(self.repeat_last_n),
            repeat_penalty: upper.repeat_penalty.or(self.repeat_penalty),
            presence_penalty: upper.presence_penalty.or(self.presence_penalty),
            frequency_penalty: upper.frequency_penalty.or(self.frequency_penalty),
            seed: upper.seed.or(self.seed),
            stop: upper.stop.or(self.stop),
            num_predict: upper.num_predict.or(self.num_predict),
            num_keep: upper.num_keep.or(self.num_keep),
            num_ctx: upper.num_ctx.or(self.num_ctx),
            num_batch: upper.num_batch.or(self.num_batch),
            num_gpu: upper.num_gpu.or(self.num_gpu),
            main_gpu: upper.main_gpu.or(self.main_gpu),
            use_mmap: upper.use_mmap.or(self.use_mmap),
            num_thread: upper.num_thread.or(self.num_thread),
            draft_num_predict: upper.draft_num_predict.or(self.draft_num_predict),
        }
    }

    /// The request's options, with the defaults where no layer speaks.
    pub fn options(&self) -> Options {
        let default = Options::default();
        Options {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_k: self.top_k.unwrap_or(default.top_k),
            top_p: self.top_p.unwrap_or(default.top_p),
            min_p: self.min_p.unwrap_or(default.min_p),
            typical_p: self.typical_p.unwrap_or(default.typical_p),
            repeat_last_n: self.repeat_last_n.map_or(default.repeat_last_n, |n| u32::try_from(n).ok()),
            repeat_penalty: self.repeat_penalty.unwrap_or(default.repeat_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(default.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(default.frequency_penalty),
            seed: self
                .seed
                .and_then(|seed| u64::try_from(seed).ok())
                .map(|seed| seed as u32)
                .filter(|seed| *seed != u32::MAX),
            stop: self.stop.clone().unwrap_or_default(),
            num_predict: self.num_predict.and_then(|n| u32::try_from(n).ok()),
            num_keep: self.num_keep.unwrap_or(default.num_keep),
            draft_tokens: self.draft_num_predict.unwrap_or(default.draft_tokens),
            shift: default.shift,
            logit_bias: default.logit_bias,
        }
    }
}

/// Tokens; the worker caps a context at the trained length besides.
const MAX_CONTEXT: i64 = 1 << 24;

fn parse_text(name: &str, text: &str) -> Result<Value, InvalidOption> {
    let refused = |expected| InvalidOption::Text { expected, value: text.into() };
    Ok(match kind(name)? {
        Kind::Integer => text.parse::<i64>().map_err(|_| refused("int"))?.into(),
        Kind::Float => text.parse::<f64>().map_err(|_| refused("float"))?.into(),
        Kind::Boolean => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true.into(),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false.into(),
            _ => return Err(refused("bool")),
        },
        Kind::Ignored => Value::Null,
    })
}

enum Kind {
    Integer,
    Float,
    Boolean,
    Ignored,
}

fn kind(name: &str) -> Result<Kind, InvalidOption> {
    Ok(match name {
        "temperature" | "top_p" | "min_p" | "typical_p" | "repeat_penalty" | "presence_penalty"
        | "frequency_penalty" => Kind::Float,
        "use_mmap" => Kind::Boolean,
        "top_k" | "repeat_last_n" | "seed" | "num_predict" | "num_keep" | "num_ctx" | "num_batch"
        | "num_gpu" | "main_gpu" | "num_thread" | "draft_num_predict" => Kind::Integer,
        _ if DEPRECATED.contains(&name) => Kind::Ignored,
        _ => return Err(InvalidOption::Unknown(name.into())),
    })
}

fn float(
    name: &str,
    value: &Value,
    low: f32,
    high: f32,
    expected: &'static str,
) -> Result<f32, InvalidOption> {
    let number = value.as_f64().ok_or_else(|| wrong_type(name, "float32"))? as f32;
    if number.is_finite() && (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(InvalidOption::Range { name: name.into(), value: value.to_string(), expected })
}

fn integer(
    name: &str,
    value: &Value,
    low: i64,
    high: i64,
    expected: &'static str,
) -> Result<i64, InvalidOption> {
    let number = value
        .as_i64()
        .or_else(|| value.as_f64().map(|float| float as i64))
        .ok_or_else(|| wrong_type(name, "integer"))?;
    if (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(InvalidOption::Range { name: name.into(), value: value.to_string(), expected })
}

fn strings(name: &str, value: &Value) -> Result<Vec<String>, InvalidOption> {
    if let Value::String(one) = value {
        return Ok(vec![one.clone()]);
    }
    let list = value.as_array().ok_or_else(|| wrong_type(name, "array"))?;
    list.iter()
        .map(|item| item.as_str().map(Into::into).ok_or_else(|| wrong_type(name, "an array of strings")))
        .collect()
}

fn wrong_type(name: &str, expected: &'static str) -> InvalidOption {
    InvalidOption::Type { name: name.into(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_wins_over_a_modelfile_and_both_over_the_defaults() {
        let mut modelfile = OptionPatch::default();
        modelfile.set_text("temperature", "0.2").unwrap();
        modelfile.set_text("top_k", "5").unwrap();
        let mut request = OptionPatch::default();
        request.set("temperature", &0.into()).unwrap();

        let options = modelfile.overlaid(request).options();

        assert_eq!((options.temperature, options.top_k, options.top_p), (0.0, 5, 0.9));
    }

    #[test]
    fn integers_may_come_as_floats_and_negative_lengths_mean_no_limit() {
        let mut patch = OptionPatch::default();
        patch.set("num_ctx", &4096.0.into()).unwrap();
        patch.set("num_predict", &(-1).into()).unwrap();
        patch.set("repeat_last_n", &(-1).into()).unwrap();

        assert_eq!(patch.num_ctx, Some(4096));
        assert_eq!(patch.options().num_predict, None);
        assert_eq!(patch.options().repeat_last_n, None);
    }

    #[test]
    fn a_refusal_names_the_option_and_what_it_takes() {
        let mut patch = OptionPatch::default();
        let wrong = |patch: &mut OptionPatch, name: &str, value: Value| {
            patch.set(name, &value).unwrap_err().to_string()
        };

        assert_eq!(wrong(&mut patch, "top_k", "many".into()), "option \"top_k\" must be of type integer");
        assert_eq!(
            wrong(&mut patch, "num_ctx", 2_000_000_000.into()),
            "option \"num_ctx\" is 2000000000, it must be from 1 to 16777216"
        );
        assert_eq!(wrong(&mut patch, "nothing", 1.into()), "unknown parameter 'nothing'");
        assert_eq!(patch.set_text("num_ctx", "x").unwrap_err().to_string(), "invalid int value [x]");
    }

    #[test]
    fn a_seed_that_draws_another_is_none() {
        let seed = |seed: i64| OptionPatch { seed: Some(seed), ..Default::default() }.options().seed;
        assert_eq!((seed(0), seed(7), seed((1 << 32) + 7)), (Some(0), Some(7), Some(7)));
        assert_eq!((seed(-1), seed(u32::MAX.into())), (None, None));
    }

    #[test]
    fn stop_strings_of_a_modelfile_add_up() {
        let mut patch = OptionPatch::default();
        patch.set_text("stop", "a").unwrap();
        patch.set_text("stop", "b").unwrap();
        assert_eq!(patch.options().stop, ["a", "b"]);
    }
}
