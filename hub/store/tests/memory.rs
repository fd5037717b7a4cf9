//! The store in memory passes every case of the list; each is a test of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use hub_store::Store;
use hub_store::conformance::tenants::METHODS;
use hub_store::conformance::{ALL, Capability, Harness, Place, run_one, scene};
use hub_store::memory::MemoryStore;
use std::collections::BTreeSet;
use std::sync::Arc;

struct Memory;

#[async_trait(?Send)]
impl Harness for Memory {
    async fn empty(&self) -> Box<dyn Place> {
        Box::new(Data(MemoryStore::new(scene::profiles(), 1)))
    }

    fn can(&self, what: Capability) -> bool {
        match what {
            Capability::Concurrent | Capability::Restart => true,
        }
    }
}

struct Data(MemoryStore);

#[async_trait(?Send)]
impl Place for Data {
    async fn hub(&self) -> Arc<dyn Store> {
        let hub = self.0.beside();
        scene::take_lease(&hub).await;
        Arc::new(hub)
    }

    async fn beside(&self) -> Arc<dyn Store> {
        Arc::new(self.0.beside())
    }
}

fn case(group: &str, name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(run_one(&Memory, group, name));
}

macro_rules! tests {
    ($($group:ident { $($module:ident::$name:ident [$($need:ident)?],)* })*) => {
        $(mod $group {
            $(#[test]
            fn $name() {
                super::case(stringify!($group), stringify!($name));
            })*
        })*
    };
}

hub_store::for_each_case!(tests);

#[test]
fn each_case_has_a_name_of_its_own() {
    let names: BTreeSet<_> = ALL.iter().map(|case| (case.group, case.name)).collect();
    assert_eq!(names.len(), ALL.len());
}

/// Every method of a trait of this crate whose parameters name an actor is in the table of what tenants may see.
#[test]
fn the_table_of_tenants_names_every_method_that_takes_an_actor() {
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for method in text.split("async fn ").skip(1) {
            let (name, rest) = method.split_once('(').unwrap();
            if rest.split(')').next().unwrap().contains("actor: &Actor") {
                found.insert(name.to_owned());
            }
        }
    }
    let named: BTreeSet<String> = METHODS.into_iter().map(str::to_owned).collect();
    assert_eq!(found, named);
}
