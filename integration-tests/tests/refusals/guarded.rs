//! Listeners that ask who comes: the commands bring what they ask for.

use std::path::Path;
use std::process::Output;

use integration_tests::binaries;
use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until};
use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions};
use tokio::process::Command;

const ECHO: FunctionType = FunctionType::named("shop/echo");

async fn echo(ctx: &mut Context, message: Message) -> Result<(), Error> {
    ctx.reply(&message.into_value())?;
    Ok(())
}

/// A certificate for `localhost` that is its own authority, as files in a folder.
fn certify(folder: &Path) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), certified.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
}

/// Calls the echo with `hello`.
async fn call(gateway: &Gateway, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let url = format!("https://localhost:{}", gateway.ingress().port());
    Command::new(binaries::tidegate())
        .args(["call", "shop/echo/ann", "hello", "--url", &url])
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(gateway.path(""))
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_come_in_with_a_token_over_an_encrypted_connection_and_not_otherwise() {
    let echo = FunctionSpec::new(ECHO).handler(echo);
    let functions = Functions::serve(StatefulFunctions::new().with(echo)).await;
    let mut gateway = Gateway::new(Module::serving("shop", functions.address(), &[]))
        .with("ingress-tls-certificate", "certificate.pem")
        .with("ingress-tls-key", "key.pem")
        .with("ingress-token-file", "tokens")
        .with("admin-token-file", "tokens");
    certify(&gateway.path(""));
    std::fs::write(gateway.path("tokens"), "s3cret\n").unwrap();
    std::fs::write(gateway.path("token"), "s3cret\n").unwrap();
    gateway.start().await;

    let trusted = ["--ca", "certificate.pem"];
    let untrusted = call(&gateway, &[], &[("TIDEGATE_TOKEN", "s3cret")]).await;
    assert!(!untrusted.status.success());
    let unknown = call(&gateway, &trusted, &[]).await;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("TG-0311"), "{unknown:?}");
    let known = call(&gateway, &[trusted[0], trusted[1], "--token-file", "token"], &[]).await;
    assert_eq!(String::from_utf8_lossy(&known.stdout), "hello\n", "{known:?}");

    // While the gateway runs, the token and the certificate are replaced.
    std::fs::write(gateway.path("tokens"), "another\n").unwrap();
    certify(&gateway.path(""));
    let variables = [("TIDEGATE_TOKEN", "another"), ("TIDEGATE_CA", "certificate.pem")];
    until("the new token and certificate count", PATIENCE, async || {
        call(&gateway, &[], &variables).await.status.success().then_some(())
    })
    .await;
    let old = call(&gateway, &trusted, &[("TIDEGATE_TOKEN", "s3cret")]).await;
    assert!(String::from_utf8_lossy(&old.stderr).contains("TG-0311"), "{old:?}");
    let admin = format!("http://{}/metrics", gateway.admin());
    assert_eq!(gateway.http().get(&admin).await.unwrap().status.as_u16(), 401);
    let errors = gateway.errors();
    assert!(!errors.contains("s3cret") && !errors.contains("another"), "{errors}");
}
