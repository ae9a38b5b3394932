//! A node in memory, as operators see it: one address is parked, and what was ordered is kept for the test to look at.

use std::sync::Mutex;

use async_trait::async_trait;
use tidegate::admin::operators::{Operators, OrderSlip};
use tidegate::driver::pauses::Pause;
use tidegate::driver::status::PartitionStatus;
use tidegate::ingress::DoorError;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::order::{Order, OrderOutcome, Subject};
use tidegate_core::partition::row::{Parked, Row, RowKey};

#[derive(Default)]
pub(crate) struct FakeNode {
    /// Orders with who gave them and why.
    pub(crate) orders: Mutex<Vec<(Order, String, String)>>,
}

const HEAD: Sequence = Sequence(7);

fn parked() -> Address {
    Address::new(FunctionType::parse("shop/cart").unwrap(), "a/b").unwrap()
}

fn why() -> Row {
    let text = "TG-0410 the function failed: no".into();
    Row::Parked(Parked { at: Timestamp(1_000), failures: 8, text })
}

impl FakeNode {
    fn note(&self, order: Order, slip: &OrderSlip) {
        let (by, reason) = (slip.by.to_string(), slip.reason.to_string());
        self.orders.lock().unwrap().push((order, by, reason));
    }
}

#[async_trait]
impl Operators for FakeNode {
    fn home_of(&self, _address: &Address) -> PartitionId {
        PartitionId(2)
    }

    async fn order(
        &self,
        address: &Address,
        order: Order,
        slip: &OrderSlip,
    ) -> Result<OrderOutcome, DoorError> {
        if *address != parked() {
            return Ok(OrderOutcome::NotParked);
        }
        self.note(order.clone(), slip);
        Ok(match order {
            Order::DropHead { expected: HEAD, .. } => {
                OrderOutcome::Dropped { messages: 1, parked: true }
            }
            Order::DropHead { .. } => OrderOutcome::AnotherHead { found: HEAD },
            Order::DropAll(_) => OrderOutcome::Dropped { messages: 5, parked: false },
            _ => OrderOutcome::Done,
        })
    }

    async fn order_everywhere(&self, order: Order, slip: &OrderSlip) -> Result<bool, DoorError> {
        self.note(order, slip);
        Ok(true)
    }

    async fn parked(
        &self,
        partition: PartitionId,
        function: Option<FunctionType>,
        after: Option<Address>,
    ) -> Result<Vec<(RowKey, Row)>, DoorError> {
        let here = partition == PartitionId(2) && after.is_none();
        let wanted = here && function.is_none_or(|function| function == parked().function);
        Ok(if wanted { vec![(RowKey::Parked(parked()), why())] } else { Vec::new() })
    }

    async fn address(
        &self,
        address: Address,
        from: Sequence,
    ) -> Result<Vec<(RowKey, Row)>, DoorError> {
        if address != parked() {
            return Ok(Vec::new());
        }
        let value = TypedValue::new("shop/total", "12".into());
        let mut rows = vec![
            (RowKey::parked(address.clone()), why()),
            (RowKey::Value(address.clone(), "total".into()), Row::Value(value, Timestamp::NEVER)),
        ];
        if from <= HEAD {
            let argument = TypedValue::new("shop/item", "apple".into());
            let message = Message { sequence: HEAD, caller: None, argument, request: None };
            rows.push((RowKey::Mailbox(address, HEAD), Row::Message(message.into())));
        }
        Ok(rows)
    }

    fn pauses(&self) -> Vec<Pause> {
        Vec::new()
    }

    fn declares(&self, subject: &Subject) -> bool {
        !matches!(subject, Subject::Function(function) if function.as_str() == "shop/misspelt")
    }

    async fn statuses(&self) -> Result<Vec<PartitionStatus>, DoorError> {
        Ok(Vec::new())
    }
}
