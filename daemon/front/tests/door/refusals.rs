//! What is refused, or fails, in which words; and the names of requests.

use crate::harness::{Door, app};

#[tokio::test]
async fn every_answer_names_its_request() {
    let door = Door::open(app());
    let foreign = "Origin: https://evil.example\r\n";
    let asked = [
        ("GET /", "", 200),
        ("GET /nowhere", "", 404),
        ("DELETE /", "", 405),
        ("POST /api/panic", "", 500),
        ("POST /echo", foreign, 403),
        ("POST /echo", "Content-Encoding: br\r\n", 415),
    ];
    for (request, headers, status) in asked {
        let answer = door.ask(request, headers, b"").await;
        assert_eq!(answer.status, status, "{request}");
        let id = answer.header("x-request-id").unwrap();
        assert!(id.starts_with("req_") && id.len() == 28, "{id}");
        assert_eq!(answer.header("request-id"), Some(id));
    }
}

#[tokio::test]
async fn a_client_names_its_request_itself_and_whoever_answers_knows_it() {
    let door = Door::open(app());
    let answer = door.ask("GET /name", "X-Request-Id: mine-1\r\n", b"").await;
    assert_eq!((answer.body.as_str(), answer.header("x-request-id").unwrap().as_str()), ("mine-1", "mine-1"));

    let unusable = door.ask("GET /name", "X-Request-Id: two words\r\n", b"").await;
    assert!(unusable.body.starts_with("req_"), "{unusable:?}");
    assert_eq!(unusable.header("x-request-id").unwrap(), unusable.body.to_lowercase());
}

#[tokio::test]
async fn a_panic_ends_one_request_in_its_familys_words() {
    let door = Door::open(app());
    let told = "a part of the server failed; its log says more";

    let ollama = door.ask("POST /api/panic", "", b"").await;
    let openai = door.ask("POST /v1/panic", "", b"").await;

    assert_eq!((ollama.status, ollama.body), (500, format!(r#"{{"error":"{told}"}}"#)));
    let expected =
        format!(r#"{{"error":{{"message":"{told}","type":"api_error","param":null,"code":null}}}}"#);
    assert_eq!((openai.status, openai.body), (500, expected));
    assert_eq!(door.ask("GET /", "", b"").await.status, 200);
}
