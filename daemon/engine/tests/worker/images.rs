//! Images, through a projector of random weights.

use protocol::{Ability, Event, Generate, GenerateError, Input, Media, Message, Overflow, Role};

use crate::harness::{ME, Worker, files, greedy, open_model, options, raw};

fn worker() -> Worker {
    let projector = Some(open_model("SmolLM2-135M-Instruct.projector.gguf"));
    Worker::load_files(options(1024, 2, None), engine::Files { projector, ..files() }).unwrap()
}

/// A BMP, whose form is simple: 24 bits a pixel, from the lowest row up.
pub(crate) fn picture(colour: [u8; 3]) -> Vec<u8> {
    let (side, header) = (32_u32, 54_u32);
    let pixels = colour.repeat((side * side) as usize);
    let mut file = b"BM".to_vec();
    for number in [header + pixels.len() as u32, 0, header, 40, side, side, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    [file, pixels].concat()
}

pub(crate) const RED: [u8; 3] = [0, 0, 255];
const BLUE: [u8; 3] = [255, 0, 0];

fn shown(pictures: &[Vec<u8>]) -> Generate {
    // Longer than what is not worth keeping beside another prompt.
    let question = "Describe this picture. ".repeat(20);
    let message = Message { media: pictures.len() as u32, ..Message::new(Role::User, question) };
    let work = Generate::new(Input::Chat(vec![message]), greedy(12));
    Generate { owner: ME, media: Media(std::sync::Arc::new(pictures.to_vec())), ..work }
}

#[test]
fn what_is_shown_is_read_and_the_same_picture_is_not_computed_again() {
    let mut worker = worker();
    let (red, first) = worker.answer(shown(&[picture(RED)])).unwrap();
    let (blue, other) = worker.answer(shown(&[picture(BLUE)])).unwrap();
    let (again, second) = worker.answer(shown(&[picture(RED)])).unwrap();

    assert_ne!(red, blue, "it sees");
    assert_eq!(red, again);
    assert!(
        second.cached_tokens + 2 > second.prompt_tokens,
        "all but its end was computed before: {second:?}"
    );
    assert!(
        other.cached_tokens < first.prompt_tokens - 8,
        "another picture shares what stands before it: {other:?}"
    );
    let (_, both) = worker.answer(shown(&[picture(RED), picture(BLUE)])).unwrap();
    assert!(both.prompt_tokens > first.prompt_tokens, "{both:?}");
    assert!(first.context.iter().all(|token| *token >= 0));
}

/// What nobody is in doubt about.
fn counting() -> Generate {
    raw("1, 2, 3, 4, 5, 6, 7, 8,".into(), greedy(12), Overflow::Refuse)
}

#[test]
fn a_neighbour_goes_on_and_what_is_refused_disturbs_nobody() {
    let mut worker = worker();
    let alone = worker.answer(counting()).unwrap().0;
    let picture_alone = worker.answer(shown(&[picture(RED)])).unwrap().0;

    let neighbour = worker.begin(counting());
    let seen = worker.begin(shown(&[picture(RED)]));
    let answers = worker.all(&[neighbour, seen]);
    assert_eq!((&answers[0].0, &answers[1].0), (&alone, &picture_alone));

    for broken in
        [b"".to_vec(), b"no picture".to_vec(), picture(RED)[..200].to_vec(), vec![0x89, b'P', b'N', b'G']]
    {
        let refused = worker.answer(shown(&[broken]));
        assert!(matches!(refused, Err(GenerateError::Media { .. })), "{refused:?}");
    }
    let recording = b"RIFF\xFF\xFF\xFF\x7FWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    let refused = worker.answer(shown(&[recording]));
    assert!(matches!(refused, Err(GenerateError::Unable(Ability::Audio))), "{refused:?}");
    assert_eq!(worker.answer(counting()).unwrap().0, alone);
}

#[test]
fn a_cancelled_picture_is_not_answered() {
    let mut worker = worker();
    let request = worker.begin(shown(&[picture(RED)]));
    worker.cancel(request);
    let next = worker.begin(shown(&[picture(BLUE)]));
    loop {
        match worker.next_event() {
            (from, Event::Done(_)) => {
                assert_eq!(from, next);
                return;
            }
            // What had been said of it by then.
            (from, Event::Said(_)) => assert!(from == request || from == next),
            (_, Event::Failed(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn a_model_that_sees_nothing_says_so() {
    let refused = Worker::start(512, 1).answer(shown(&[picture(RED)]));
    assert!(matches!(refused, Err(GenerateError::Unable(Ability::Vision))), "{refused:?}");
}

#[test]
fn a_projector_for_another_model_is_refused() {
    // Its numbers are as many as SmolLM2's embeddings have, which are more than those of this one.
    let projector = Some(open_model("SmolLM2-135M-Instruct.projector.gguf"));
    let model = open_model("tiny-windowed.gguf");
    let refused = Worker::load_files(options(512, 1, None), engine::Files { model, projector, ..files() });
    let reason = refused.err().expect("it is refused");
    assert!(
        reason.contains("mismatch") || reason.contains("576") || reason.contains("projector"),
        "{reason}"
    );
    let projector = Some(open_model("tiny-windowed.gguf"));
    let refused = Worker::load_files(options(512, 1, None), engine::Files { projector, ..files() });
    assert!(refused.err().expect("it is refused").contains("projector"));
}
