//! A double of a function for tests: reads requests and writes answers as an SDK does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use tidegate_protocol::Message;
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{
    BatchRequest, BatchResponse, GroupFailure, GroupNotRun, GroupResponse,
};
use tidegate_protocol::reqreply::ToFunction;
use tidegate_protocol::reqreply::from_function::InvocationResponse;
use tidegate_protocol::reqreply::to_function::{InvocationBatchRequest, Request};

use crate::invoker::lane::Dialect;

/// What the function does with one group of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::invoker) enum Act {
    Succeed,
    SucceedTwice,
    SucceedForAnother,
    Fail,
    NotRun,
    Forget,
}

/// The ids of the addresses in a request.
pub(in crate::invoker) fn ids(dialect: Dialect, body: &Bytes) -> Vec<String> {
    let id = |invocation: InvocationBatchRequest| invocation.target.unwrap().id;
    match dialect {
        Dialect::Single => {
            let Some(Request::Invocation(request)) =
                ToFunction::decode(body.clone()).unwrap().request
            else {
                panic!("a request without a group");
            };
            vec![id(request)]
        }
        Dialect::Batch => {
            let groups = BatchRequest::decode(body.clone()).unwrap().groups;
            groups.into_iter().map(|group| id(group.invocation.unwrap())).collect()
        }
    }
}

/// The answer to a batch, by what the function does with each id.
pub(in crate::invoker) fn answer_batch(body: &Bytes, act: impl Fn(&str) -> Act) -> Bytes {
    let mut groups = Vec::new();
    for group in BatchRequest::decode(body.clone()).unwrap().groups {
        let mut echo = GroupResponse {
            batch: group.batch,
            attempt: group.attempt,
            ..GroupResponse::default()
        };
        let success = || Some(GroupResult::InvocationResult(InvocationResponse::default()));
        match act(&group.invocation.unwrap().target.unwrap().id) {
            Act::Succeed => echo.result = success(),
            Act::SucceedTwice => {
                echo.result = success();
                groups.push(echo.clone());
            }
            Act::SucceedForAnother => {
                echo.result = success();
                echo.attempt += 1;
            }
            Act::Fail => {
                echo.result = Some(GroupResult::Failure(GroupFailure { text: "no stock".into() }));
            }
            Act::NotRun => echo.result = Some(GroupResult::NotRun(GroupNotRun {})),
            Act::Forget => continue,
        }
        groups.push(echo);
    }
    groups.reverse();
    BatchResponse { groups }.encode_to_vec().into()
}
