//! The commands, as a shell runs them: what they write where, and how they end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

fn tidegate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(args: &[&str]) -> Output {
    tidegate(args).output().await.unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Answers every request with what it was, or with the trouble that its id asks for.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let problem = |status: StatusCode, code: &str| {
        let body = format!(r#"{{"code":"{code}","title":"it is so","detail":"for a reason"}}"#);
        (status, [("content-type", "application/problem+json")], body).into_response()
    };
    let path = uri.path();
    let header =
        |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let id = path.trim_end_matches("/call").trim_end_matches("/send").rsplit('/').next();
    match id {
        Some("refused") => problem(StatusCode::NOT_FOUND, "TG-0399"),
        Some("slow") => problem(StatusCode::GATEWAY_TIMEOUT, "TG-0398"),
        Some("silent") => StatusCode::NO_CONTENT.into_response(),
        Some("foreign") => (StatusCode::BAD_GATEWAY, "<html>sorry</html>").into_response(),
        Some("again") => (StatusCode::ACCEPTED, [("tidegate-repeated", "true")]).into_response(),
        Some("bytes") => [0_u8, 255, 10].into_response(),
        Some("seen") => {
            let state = r#"{"values":{"count":{"type":"io.statefun.types/int","base64":"DQM=","json":3},
                "raw":{"type":"a/b","base64":"AP8=","json":null}}}"#;
            ([("content-type", "application/json")], state).into_response()
        }
        _ => {
            let seen = [
                header("content-type"),
                header("tidegate-type"),
                header("idempotency-key"),
                header("tidegate-timeout"),
                header("authorization"),
            ];
            let text = format!("{method} {path} {seen:?} {}", String::from_utf8_lossy(&body));
            ([("content-type", "text/plain"), ("tidegate-type", "a/echo")], text).into_response()
        }
    }
}

async fn gateway() -> String {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test]
async fn help_shows_commands_examples_and_exit_codes() {
    let help = run(&["--help"]).await;
    assert_eq!(help.status.code(), Some(0));
    for part in [
        "run",
        "config",
        "send",
        "call",
        "reload",
        "state",
        "parked",
        "pause",
        "resume",
        "pauses",
        "partitions",
        "Exit codes:",
        "2  the command line",
        "5  no answer",
    ] {
        assert!(out(&help).contains(part), "{part}");
    }
    for command in [
        &["run"][..],
        &["config"],
        &["send"],
        &["call"],
        &["reload"],
        &["state"],
        &["parked"],
        &["pause"],
        &["resume"],
        &["pauses"],
        &["partitions"],
    ] {
        let help = run(&[command, &["--help"]].concat()).await;
        assert!(out(&help).contains("Examples:"), "{command:?}");
    }
    let run_help = run(&["run", "--help"]).await;
    assert!(out(&run_help).contains("--memory-budget"));
    assert!(out(&run_help).contains("TIDEGATE_MEMORY_BUDGET"));
    assert!(out(&run_help).contains("512MiB"));
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2() {
    for args in [
        &["sned"][..],
        &["send", "a/b/c"],
        &["send", "a/b", "x"],
        &["send", "a/b/c", "x", "--file", "y"],
        &["send", "a/b/c", "{", "--as", "json"],
        &["send", "a/b/c", "--file", "no such file"],
        &["send", "a/b/c", "x", "--url", "nonsense"],
        &["call", "a/b/c", "x", "--timeout", "30"],
        &["parked", "redrive"],
        &["parked", "redrive", "a/b/c", "--all"],
        &["parked", "redrive", "a/b/c", "--code", "TG-0410"],
        &["parked", "drop", "a/b/c"],
        &["pause", "nothing", "a/b"],
        &["pause", "function", "a"],
    ] {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(out(&output).is_empty());
    }
}

#[tokio::test]
async fn a_message_is_sent_with_its_form_type_and_key() {
    let url = gateway().await;
    let sent = run(&[
        "call",
        "a/b/c d/ü",
        r#"{"x": 1}"#,
        "--as",
        "json",
        "--type",
        "a/T",
        "--idempotency-key",
        "k1",
        "--timeout",
        "2s",
        "--url",
        &url,
    ])
    .await;
    assert_eq!(sent.status.code(), Some(0), "{}", err(&sent));
    let expected = "POST /v1/functions/a/b/c%20d%2F%C3%BC/call \
        [\"application/json\", \"a/T\", \"k1\", \"2000ms\", \"\"] {\"x\": 1}\n";
    assert_eq!(out(&sent), expected);

    let json = run(&["call", "a/b/c", "hi", "--json", "--url", &url]).await;
    let reply: serde_json::Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!(reply["type"], "a/echo");
    let text = "POST /v1/functions/a/b/c/call [\"text/plain; charset=utf-8\", \"\", \"\", \"30000ms\", \"\"] hi";
    assert_eq!(reply["text"], text);

    let sent = run(&["send", "a/b/c", "hi", "--url", &url]).await;
    assert_eq!((sent.status.code(), out(&sent)), (Some(0), "accepted\n"));
    let again = run(&["send", "a/b/again", "hi", "--json", "--url", &url]).await;
    let again: serde_json::Value = serde_json::from_str(out(&again)).unwrap();
    assert_eq!(again, serde_json::json!({"accepted": true, "repeated": true}));
}

#[tokio::test]
async fn a_payload_may_come_from_the_standard_input() {
    let url = gateway().await;
    let mut child =
        tidegate(&["call", "a/b/c", "-", "--as", "bytes", "--url", &url]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from a pipe").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(out(&output).contains("application/octet-stream"));
    assert!(out(&output).ends_with("from a pipe\n"));
}

#[tokio::test]
async fn bytes_are_written_as_they_are() {
    let url = gateway().await;
    let output = run(&["call", "a/b/bytes", "x", "--url", &url]).await;
    assert_eq!(output.stdout, [0, 255, 10]);
    let json = run(&["call", "a/b/bytes", "x", "--json", "--url", &url]).await;
    let reply: serde_json::Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!(reply["base64"], "AP8K");
}

#[tokio::test]
async fn how_it_ends_says_what_happened() {
    let url = gateway().await;
    for (id, code, part) in [
        (
            "refused",
            3,
            "error[TG-0399]: it is so\n  for a reason\n   = help: docs/errors/TG-0399.md",
        ),
        ("slow", 5, "error[TG-0398]"),
        ("silent", 5, "no reply came"),
        ("foreign", 3, "502 Bad Gateway\n  <html>sorry</html>"),
    ] {
        let output = run(&["call", &format!("a/b/{id}"), "x", "--url", &url]).await;
        assert_eq!(output.status.code(), Some(code), "{id}: {}", err(&output));
        assert!(err(&output).contains(part), "{id}: {}", err(&output));
        assert!(!err(&output).contains('\u{1b}'), "colour without a terminal");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let output = run(&["send", "a/b/c", "x", "--url", &format!("http://{nobody}")]).await;
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(err(&output).contains("error[TG-0390]"), "{}", err(&output));
}

#[tokio::test]
async fn state_is_shown_as_a_table_or_as_json() {
    let url = gateway().await;
    let table = run(&["state", "get", "a/b/seen", "--admin-url", &url]).await;
    assert_eq!(table.status.code(), Some(0), "{}", err(&table));
    assert_eq!(
        out(&table),
        "count  io.statefun.types/int  3\nraw    a/b                    base64:AP8=\n"
    );
    let json = run(&["state", "get", "a/b/seen", "--json", "--admin-url", &url]).await;
    let json: serde_json::Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!(json["values"]["count"]["json"], 3);
    let foreign = run(&["state", "get", "a/b/other", "--admin-url", &url]).await;
    assert_eq!(foreign.status.code(), Some(1));
    assert!(err(&foreign).contains("error[TG-0393]"), "{}", err(&foreign));
}

#[tokio::test]
async fn a_token_is_sent_but_never_shown() {
    let url = gateway().await;
    let folder = tempfile::tempdir().unwrap();
    let token = write(folder.path(), "token", "s3cret\n");
    let output = run(&["call", "a/b/c", "x", "--token-file", &token, "--url", &url]).await;
    assert!(out(&output).contains("\"Bearer s3cret\""), "{}", out(&output));

    let module = write(folder.path(), "m.yaml", include_str!("whole.yaml"));
    let shown = run(&["config", "--module", &module, "--ingress-token-file", &token]).await;
    assert!(out(&shown).contains("token_file = "), "{}", out(&shown));
    assert!(!out(&shown).contains("s3cret"));

    let broken = write(folder.path(), "broken", "s3cret s3cr\u{e9}t");
    for file in [broken.as_str(), "no such file"] {
        let call = run(&["call", "a/b/c", "x", "--token-file", file, "--url", &url]).await;
        assert_eq!(call.status.code(), Some(2), "{}", err(&call));
        let config = run(&["config", "--module", &module, "--ingress-token-file", file]).await;
        assert_eq!(config.status.code(), Some(2));
        assert!(err(&config).contains("TG-010"), "{}", err(&config));
        assert!(!err(&config).contains("s3cret") && !err(&call).contains("s3cret"));
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn config_shows_what_is_in_effect_or_all_faults() {
    let folder = tempfile::tempdir().unwrap();
    let module = write(folder.path(), "m.yaml", include_str!("whole.yaml"));
    let shown = run(&["config", "--module", &module, "--memory-budget", "1GiB"]).await;
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    assert!(out(&shown).contains("budget = \"1GiB\""), "{}", out(&shown));
    let json = run(&["config", "--module", &module, "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!(json["settings"]["partitions"]["value"], 8);

    let faulty = write(folder.path(), "f.yaml", include_str!("faulty.yaml"));
    for command in ["config", "run"] {
        let output = run(&[command, "--module", &faulty, "--partitions", "7"]).await;
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(out(&output).is_empty());
        assert!(err(&output).contains("15 errors in the configuration"), "{}", err(&output));
    }
}
