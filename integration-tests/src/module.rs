//! Texts of `module.yaml`, put together from parts.

use std::net::SocketAddr;
use std::path::Path;

/// An application, one component after the other.
#[derive(Clone, Debug, Default)]
pub struct Module(Vec<String>);

impl Module {
    /// One endpoint that serves a whole namespace. `rules` are lines of `spec.tidegate`, such as `attempts: 3`.
    #[must_use]
    pub fn serving(namespace: &str, at: SocketAddr, rules: &[&str]) -> Self {
        Self::default().endpoint(namespace, at, rules)
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
