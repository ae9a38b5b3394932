//! Messages that are sent together are told apart in what is said of them.

use tidegate::ingress::{Door, DoorError, Outcome, Visitor};
use tidegate::log::memory::SyncMode;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::partition::effect::ClientRefusal;

use crate::world::{Deployment, Life, address, id_in, inbound, value};

#[tokio::test(start_paused = true)]
async fn what_is_not_accepted_is_said_of_the_right_message() {
    let life = Life { sync: SyncMode::Automatic, ..Life::default() };
    let node = Deployment::new().start(life).await;
    let nobody = FunctionType::parse("test/nobody").unwrap();
    let unknown = |partition| Address::new(nobody.clone(), &id_in(partition)).unwrap();
    let keyed = || inbound(address(&id_in(1)), value("once"), Some("key"));
    assert!(node.door.send(&Visitor::new(), vec![keyed()]).await.is_empty());
    // Partitions answer for their own messages, and not in the order in which these were sent.
    let messages = vec![
        inbound(address(&id_in(3)), value("a"), None),
        inbound(unknown(2), value("b"), None),
        keyed(),
        inbound(address(&id_in(0)), value("c"), None),
        inbound(unknown(0), value("d"), None),
    ];
    let exceptions = node.door.send(&Visitor::new(), messages).await;
    let refused = DoorError::Refused(ClientRefusal::UnknownFunction);
    assert_eq!(exceptions.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(exceptions[0].1.as_ref().unwrap_err(), &refused);
    assert!(matches!(exceptions[1].1, Ok(Outcome::Repeated(_))));
    assert_eq!(exceptions[2].1.as_ref().unwrap_err(), &refused);
}
