//! A function as its author declares it: a name, the values that it keeps, and a handler.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::address::FunctionType;
use crate::context::Context;
use crate::error::Error;
use crate::message::Message;
use crate::spec::{DeclaredValue, ValueSpec};
use crate::types::Type;

/// What processes messages: `async fn(&mut Context, Message) -> Result<(), impl Into<Error>>`. Implemented for every
/// function of that form; never by hand.
pub trait Handler<'a>: Send + Sync + 'static {
    /// Processes one message.
    fn call(&self, context: &'a mut Context, message: Message) -> BoxFuture<'a, Result<(), Error>>;
}

impl<'a, F, Fut, E> Handler<'a> for F
where
    F: Fn(&'a mut Context, Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'a,
    E: Into<Error>,
{
    fn call(&self, context: &'a mut Context, message: Message) -> BoxFuture<'a, Result<(), Error>> {
        let future = self(context, message);
        Box::pin(async move { future.await.map_err(Into::into) })
    }
}

/// What processes messages together with something that all calls share, such as a client of another service:
/// `async fn(S, &mut Context, Message) -> Result<(), impl Into<Error>>`. Never implemented by hand either.
pub trait SharingHandler<'a, S>: Send + Sync + 'static {
    /// Processes one message.
    fn call(
        &self,
        shared: S,
        context: &'a mut Context,
        message: Message,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

impl<'a, S, F, Fut, E> SharingHandler<'a, S> for F
where
    F: Fn(S, &'a mut Context, Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'a,
    E: Into<Error>,
{
    fn call(
        &self,
        shared: S,
        context: &'a mut Context,
        message: Message,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let future = self(shared, context, message);
        Box::pin(async move { future.await.map_err(Into::into) })
    }
}

struct Sharing<S, H> {
    shared: S,
    handler: H,
}

impl<'a, S, H> Handler<'a> for Sharing<S, H>
where
    S: Clone + Send + Sync + 'static,
    H: SharingHandler<'a, S>,
{
    fn call(&self, context: &'a mut Context, message: Message) -> BoxFuture<'a, Result<(), Error>> {
        self.handler.call(self.shared.clone(), context, message)
    }
}

/// Declares a function step by step; [`handler`](Self::handler) completes it.
#[derive(Debug)]
pub struct FunctionSpec {
    name: FunctionType,
    values: Vec<DeclaredValue>,
}

impl FunctionSpec {
    /// A function of that name without values.
    #[must_use]
    pub fn new(name: FunctionType) -> Self {
        Self { name, values: Vec::new() }
    }

    /// Declares a value that each instance keeps.
    ///
    /// # Panics
    /// If the function declares a value of the same name already.
    #[must_use]
    pub fn value<T: Type>(mut self, spec: &ValueSpec<T>) -> Self {
        let declared = spec.declared();
        let known = self.values.iter().any(|value| value.name == declared.name);
        assert!(!known, "TG-0608: `{}` declares the value `{}` twice", self.name, declared.name);
        self.values.push(declared);
        self
    }

    /// Completes the function with the code that processes its messages.
    pub fn handler(self, handler: impl for<'a> Handler<'a>) -> Function {
        Function { name: self.name, values: self.values, handler: Arc::new(handler) }
    }

    /// Completes the function with code that is given a clone of `shared` with each message.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message};
    ///
    /// const MAILER: FunctionType = FunctionType::named("demo/mailer");
    ///
    /// async fn mail(sender: Arc<String>, ctx: &mut Context, _: Message) -> Result<(), Error> {
    ///     ctx.reply(sender.as_str())?;
    ///     Ok(())
    /// }
    ///
    /// let sender = Arc::new("shop@example.com".to_owned());
    /// let function = FunctionSpec::new(MAILER).sharing(sender, mail);
    /// ```
    pub fn sharing<S, H>(self, shared: S, handler: H) -> Function
    where
        S: Clone + Send + Sync + 'static,
        H: for<'a> SharingHandler<'a, S>,
    {
        self.handler(Sharing { shared, handler })
    }
}

/// A function that is ready to be served.
#[derive(Clone)]
pub struct Function {
    name: FunctionType,
    values: Vec<DeclaredValue>,
    handler: Arc<dyn for<'a> Handler<'a>>,
}

impl Function {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &FunctionType {
        &self.name
    }

    pub(crate) fn values(&self) -> &[DeclaredValue] {
        &self.values
    }

    pub(crate) async fn call(&self, context: &mut Context, message: Message) -> Result<(), Error> {
        self.handler.call(context, message).await
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Function")
            .field("name", &self.name)
            .field("values", &self.values)
            .finish()
    }
}
