//! A disk without space: the node waits, refuses nothing that it has accepted, and goes on when there is space again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until, until_equal};
use rustix::fs::{FallocateFlags, fallocate};

use crate::counters;

/// Bytes of the file system: three segments of the log, and some room for the store.
const SIZE: &str = "size=448m";
const MESSAGE: usize = 256 << 10;
const IDS: usize = 8;

/// A small file system in a name space of its own, which goes with the process that holds it.
struct SmallDisk {
    holder: Child,
    /// Where others find it.
    path: PathBuf,
}

impl SmallDisk {
    fn mounted_at(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let script = format!(
            "mount -t tmpfs -o {SIZE} tmpfs \"$0\" && echo mounted > \"$0/mounted\" && exec sleep 3600"
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let path = PathBuf::from(format!("/proc/{}/root{}", holder.id(), folder.display()));
        loop {
            if path.join("mounted").exists() {
                return Some(Self { holder, path });
            }
            if holder.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let file = File::create(self.path.join("filler")).unwrap();
        let mut at = 0;
        for step in [1 << 20, 4 << 10] {
            while fallocate(&file, FallocateFlags::empty(), at, step).is_ok() {
                at += step;
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_node_for_as_long_as_it_is_full() {
    let functions = Functions::serve(counters()).await;
    let mut gateway = Gateway::new(Module::serving("shop", functions.address(), &[]));
    let Some(disk) = SmallDisk::mounted_at(&gateway.path("disk")) else {
        eprintln!("not tested: a file system cannot be mounted here without privileges");
        return;
    };
    // A relative path would lead around what is mounted.
    let data = gateway.path("disk/data").display().to_string();
    let holder = format!("--target={}", disk.holder.id());
    let folder = format!("--wd={}", gateway.path("").display());
    gateway.start_under(&[
        "/usr/bin/nsenter",
        "--user",
        "--mount",
        "--preserve-credentials",
        &holder,
        &folder,
    ]);
    gateway = gateway.with("data", &data).with("store-flush-interval", "1h");
    gateway.start().await;
    gateway.call("shop/counter/c0", "first", "one").await;
    disk.fill();

    // Until nothing is acknowledged any more.
    let text = "x".repeat(MESSAGE);
    let mut accepted = [0_i64; IDS];
    accepted[0] = 1;
    let mut unknown = 0;
    let (mut sent, url) =
        (0, |id: usize| gateway.url(&format!("/v1/functions/shop/counter/c{id}/send")));
    while unknown == 0 {
        let id = sent % IDS;
        let url = url(id);
        let sending = gateway.http().post(&url, &[TEXT], text.clone());
        match tokio::time::timeout(std::time::Duration::from_secs(5), sending).await {
            Ok(Ok(answer)) if answer.status.as_u16() == 202 => accepted[id] += 1,
            _ => unknown += 1,
        }
        sent += 1;
        assert!(sent < 2000, "the disk was never full");
    }
    assert!(gateway.errors().contains("TG-0220"), "{}", gateway.errors());
    assert!(gateway.process().ended().is_none(), "the node ended: {}", gateway.errors());
    // Who asks for its health is answered meanwhile.
    let alive = format!("http://{}/livez", gateway.admin());
    assert_eq!(gateway.http().get(&alive).await.unwrap().status.as_u16(), 200);

    disk.free();
    until("the log has space again", PATIENCE, async || {
        gateway.errors().contains("the log has space again").then_some(())
    })
    .await;
    let settled = (sent - 1) % IDS;
    for (id, accepted) in accepted.iter().enumerate().filter(|(id, _)| *id != settled) {
        let address = format!("shop/counter/c{id}");
        until_equal(&address, Some(*accepted), async || gateway.value(&address, "count").await)
            .await;
    }
    // The one that was not answered counts once or not at all.
    let kept = gateway.value::<i64>(&format!("shop/counter/c{settled}"), "count").await.unwrap();
    assert!((accepted[settled]..=accepted[settled] + 1).contains(&kept));
    gateway.crash().await;
    for (id, accepted) in accepted.iter().enumerate().filter(|(id, _)| *id != settled) {
        let address = format!("shop/counter/c{id}");
        until_equal(&address, Some(*accepted), async || gateway.value(&address, "count").await)
            .await;
    }
}
