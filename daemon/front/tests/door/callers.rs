//! Who asks: credentials, forwarded requests, cookies of browsers, and what is said to those who are refused.

use access::{Caller, Origin, Password, PersonName, Visitor, Way};
use axum::routing::post;
use front::{Limits, Loopback};
use http::StatusCode;
use tokio::time::timeout;

use crate::harness::{By, Door, PATIENCE, app};

const OWN_PAGE: &str = "Sec-Fetch-Site: same-origin\r\n";

#[tokio::test]
async fn a_key_is_known_in_either_header_and_goes_no_further() {
    let door = Door::lan(app(), Limits::default());
    for header in [door.bearer(), format!("X-Api-Key: {}\r\n", door.key)] {
        let answer = door.ask_tls("GET /who", &header, b"").await;
        assert!(answer.body.starts_with("Lan ") && !answer.body.contains("Nobody"), "{answer:?}");
        let seen = door.ask_tls("GET /headers", &format!("{header}Cookie: a=b\r\n"), b"").await;
        assert!(!seen.body.contains("hob_") && !seen.body.contains("cookie"), "{seen:?}");
    }
    assert_eq!(door.ask_tls("GET /who", "", b"").await.body, "Lan Nobody");
}

#[tokio::test]
async fn a_key_in_the_query_is_none() {
    let door = Door::lan(app(), Limits::default());
    for name in ["key", "api_key", "access_token"] {
        let answer = door.ask_tls(&format!("GET /who?{name}={}", door.key), "", b"").await;
        assert_eq!(answer.body, "Lan Nobody", "{name}");
    }
}

#[tokio::test]
async fn who_is_refused_is_told_so_in_the_familys_words() {
    let door = Door::lan(app(), Limits::default());
    let wrong = "Authorization: Bearer sk-wrong\r\n";
    for (path, said) in [
        ("/v1/messages", r#""type":"authentication_error""#),
        ("/v1/chat/completions", r#""code":"invalid_api_key""#),
        ("/api/chat", r#"{"error":""#),
    ] {
        let answer = door.ask_tls(&format!("POST {path}"), wrong, b"{}").await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.header("www-authenticate").unwrap(), "bearer");
        assert!(answer.body.contains(said) && !answer.body.contains("sk-wrong"), "{answer:?}");
    }
}

#[tokio::test]
async fn refusals_are_in_the_audit_log_without_what_was_presented() {
    let refusing = post(|| async { StatusCode::UNAUTHORIZED });
    let app = app().route("/claim", refusing.clone()).route("/admin/api/login", refusing);
    let mut door = Door::lan(app, Limits::default());
    // Whoever answers these writes them down as what they are.
    door.ask_tls("POST /claim", "", b"{}").await;
    door.ask_tls("POST /admin/api/login", "", b"{}").await;
    door.ask_tls("POST /claim", "Origin: https://evil.example\r\n", b"{}").await;
    door.ask_tls("POST /v1/chat/completions?secret=1", "Authorization: Bearer hob_wrong\r\n", b"{}").await;
    door.ask_tls("POST /echo", "Origin: https://evil.example\r\n", b"{}").await;
    door.ask_tls("GET /", &door.bearer(), b"").await;

    door.stop.cancel();
    timeout(PATIENCE, &mut door.serving).await.unwrap().unwrap();

    let written: Vec<_> = door.access.audit_entries(0).unwrap().map(Result::unwrap).collect();
    let refused = written.iter().filter(|line| line.contains(r#""refused""#)).collect::<Vec<_>>();
    assert_eq!(refused.len(), 3, "{written:?}");
    for (line, target) in refused.iter().zip(["POST /claim", "POST /v1/chat/completions", "POST /echo"]) {
        assert!(line.contains(&format!("\"{target}\"")), "{line}");
    }
    assert!(refused.iter().all(|line| line.contains("127.0.0.1") && line.contains("nobody")), "{refused:?}");
    assert!(!written.iter().any(|line| line.contains("hob_") || line.contains("secret")), "{written:?}");
}

#[tokio::test]
async fn the_loopback_knows_its_own_and_nobody_who_was_forwarded() {
    let door = Door::open(app());
    assert_eq!(door.ask("GET /who", "", b"").await.body, "Loopback Local");
    assert_eq!(door.ask("GET /who", "Authorization: Bearer ollama\r\n", b"").await.body, "Loopback Local");
    for header in
        ["Forwarded: for=192.0.2.1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Via: 1.1 x"]
    {
        let answer = door.ask("GET /who", &format!("{header}\r\n"), b"").await;
        assert_eq!(answer.body, "Forwarded Nobody", "{header}");
        let known = door.ask("GET /who", &format!("{header}\r\n{}", door.bearer()), b"").await;
        assert!(known.body.starts_with("Forwarded ") && !known.body.contains("Nobody"), "{known:?}");
    }

    let strict = Door::trusting(Loopback::RequiresKey, By::Loopback, app(), Limits::default());
    assert_eq!(strict.ask("GET /who", "", b"").await.body, "Forwarded Nobody");
}

#[tokio::test]
async fn on_the_network_nobody_becomes_another_by_saying_that_he_was_forwarded() {
    let door = Door::lan(app(), Limits::default());
    for header in ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: localhost"] {
        assert_eq!(door.ask_tls("GET /who", &format!("{header}\r\n"), b"").await.body, "Lan Nobody");
    }
}

#[tokio::test]
async fn pages_of_the_network_are_our_own_and_those_that_were_named() {
    let door = Door::lan(app(), Limits::default());
    let own = format!("https://{}", door.authority());
    for origin in [own.as_str(), "https://home.example"] {
        let answer = door.ask_tls("POST /echo", &format!("Origin: {origin}\r\n"), b"x").await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
    }
    let foreign = [
        "null".to_owned(),
        "http://localhost:3000".into(),
        format!("http://{}", door.authority()),
        "https://box.lan".into(),
        "https://evil.example".into(),
    ];
    for origin in foreign {
        let form = format!("Origin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let answer = door.ask_tls("POST /echo", &form, b"a=b").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        let form = format!("Sec-Fetch-Site: {site}\r\nContent-Type: text/plain\r\n");
        assert_eq!(door.ask_tls("POST /echo", &form, b"{}").await.status, 403, "{site}");
    }
    // curl sends the same type, and neither header.
    let curl = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(door.ask_tls("POST /echo", curl, b"{}").await.status, 200);
}

#[tokio::test]
async fn a_session_is_its_browsers_by_tls_until_it_ends() {
    let door = Door::lan(app(), Limits::default());
    let (name, password) =
        ("ada".parse::<PersonName>().unwrap(), "correct horse".parse::<Password>().unwrap());
    door.access.reset_password(&Caller::operator(), &name, &password).unwrap();
    let origin = Origin { way: Way::Lan, address: Some([127, 0, 0, 1].into()) };
    let signed_in = door.access.sign_in(&name, &password, &Visitor { origin, agent: "" }).unwrap();
    let cookie = format!("Cookie: __Host-hob={}\r\n", signed_in.session.unwrap().reveal());

    assert!(door.ask_tls("GET /who", &cookie, b"").await.body.contains("ada"));
    assert!(door.ask_tls("POST /who", &format!("{cookie}{OWN_PAGE}"), b"").await.body.contains("ada"));
    let own = format!("{cookie}Origin: https://{}\r\n", door.authority());
    assert!(door.ask_tls("POST /who", &own, b"").await.body.contains("ada"));
    assert_eq!(door.ask_tls("POST /who", &cookie, b"").await.status, 403);

    door.access.sign_out(&signed_in.caller).unwrap();
    assert_eq!(door.ask_tls("GET /who", &cookie, b"").await.body, "Lan Nobody");
}

#[tokio::test]
async fn a_cookie_changes_nothing_unless_it_comes_from_our_own_page() {
    for by in [By::Lan, By::Loopback] {
        let door = Door::by(by, app(), Limits::default());
        let session = "Cookie: __Host-hob=unknown\r\n";
        let ask = async |request: &str, more: &str| {
            let lines = format!("{session}{more}");
            match by {
                By::Lan => door.ask_tls(request, &lines, b"").await,
                _ => door.ask(request, &lines, b"").await,
            }
        };
        for foreign in ["", "Origin: https://home.example\r\n", "Sec-Fetch-Site: none\r\n"] {
            let answer = ask("POST /echo", foreign).await;
            assert_eq!(answer.status, 403, "{by:?} {foreign}");
            assert!(answer.body.contains("own pages"), "{answer:?}");
        }
        for foreign in ["Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
            assert_eq!(ask("DELETE /echo", foreign).await.status, 403, "{by:?} {foreign}");
        }
        // It gets as far as being known, or not, which is what a browser has after a while.
        assert_eq!(ask("POST /echo", OWN_PAGE).await.status, 200, "{by:?}");
        assert_eq!(ask("GET /", "").await.status, 200, "{by:?}");
    }
}

#[tokio::test]
async fn pages_that_other_programs_serve_on_this_machine_are_not_our_own() {
    let door = Door::open(app());
    for line in ["Origin: http://localhost:3000", "Origin: https://home.example", "Sec-Fetch-Site: same-site"]
    {
        for asked in ["GET /admin/api/conversations", "DELETE /admin/api/conversations", "POST /claim"] {
            let answer = door.ask(asked, &format!("{line}\r\n"), b"").await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (403, None),
                "{asked} {line}"
            );
        }
    }
    for line in ["", "Sec-Fetch-Site: none\r\n", OWN_PAGE] {
        assert_eq!(door.ask("GET /admin/api/conversations", line, b"").await.status, 404, "{line}");
    }
}
