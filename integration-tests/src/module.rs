//! Texts of `module.yaml`, put together from parts.

use std::net::SocketAddr;
use std::path::Path;

/// What an endpoint needs to know whose requests fail for reasons that are not its own. Goes into its `spec`.
pub const BAD_NETWORK: &str = "
  transport:
    type: io.statefun.transports.v1/async
    call: 1s
  tidegate:
    attempts: 100000
    backoff: {first: 10ms, longest: 200ms}
";

/// An application, one component after the other.
#[derive(Clone, Debug, Default)]
pub struct Module(Vec<String>);

impl Module {
    /// One endpoint that serves a whole namespace. `rules` are lines of `spec.tidegate`, such as `attempts: 3`.
    #[must_use]
    pub fn serving(namespace: &str, at: SocketAddr, rules: &[&str]) -> Self {
        Self::default().endpoint(namespace, at, rules)
    }

    /// One endpoint behind a bad network: requests give up after a second, and no number of failures parks an address.
    #[must_use]
    pub fn behind_a_bad_network(namespace: &str, at: SocketAddr) -> Self {
        Self::default().component(format!(
            "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: {namespace}/*\n  urlPathTemplate: http://{at}/{BAD_NETWORK}"
        ))
    }

    /// One more endpoint.
    #[must_use]
    pub fn endpoint(self, namespace: &str, at: SocketAddr, rules: &[&str]) -> Self {
        let rules: String = rules.iter().map(|rule| format!("\n    {rule}")).collect();
        let tidegate = if rules.is_empty() { rules } else { format!("\n  tidegate:{rules}") };
        self.component(format!(
            "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: {namespace}/*\n  urlPathTemplate: http://{at}/{tidegate}\n"
        ))
    }

    /// An egress into a file.
    #[must_use]
    pub fn file_egress(self, id: &str, path: &Path) -> Self {
        let path = path.display();
        self.component(format!(
            "kind: io.tidegate.file.v1/egress\nspec:\n  id: {id}\n  path: {path}\n"
        ))
    }

    /// An egress that is read over HTTP.
    #[must_use]
    pub fn http_egress(self, id: &str) -> Self {
        self.component(format!("kind: io.tidegate.http.v1/egress\nspec:\n  id: {id}\n"))
    }

    /// The same, and at most so much waits for its readers, such as `1MiB`.
    #[must_use]
    pub fn bounded_http_egress(self, id: &str, bytes: &str) -> Self {
        self.component(format!(
            "kind: io.tidegate.http.v1/egress\nspec:\n  id: {id}\n  retention: {{bytes: {bytes}}}\n"
        ))
    }

    /// An ingress over HTTP, which takes the id of the receiver from the member `id` of each JSON body.
    #[must_use]
    pub fn http_ingress(self, id: &str, path: &str, value_type: &str, target: &str) -> Self {
        self.component(format!(
            "kind: io.tidegate.http.v1/ingress\nspec:\n  id: {id}\n  path: {path}\n  valueType: {value_type}\n  targets: [{target}]\n  key: {{jsonPointer: /id}}\n"
        ))
    }

    fn component(mut self, text: String) -> Self {
        self.0.push(text);
        self
    }
}

impl From<Module> for String {
    fn from(module: Module) -> Self {
        module.0.join("---\n")
    }
}
