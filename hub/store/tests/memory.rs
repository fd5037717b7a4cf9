//! The store in memory passes every case of the list; each is a test of its own.

use async_trait::async_trait;
use hub_store::Store;
use hub_store::conformance::{Capability, Harness, Place, run_one, scene};
use hub_store::memory::MemoryStore;
use std::sync::Arc;

struct Memory;

#[async_trait]
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

#[async_trait]
impl Place for Data {
    async fn hub(&self) -> Arc<dyn Store> {
        Arc::new(self.0.beside())
    }

    async fn beside(&self) -> Arc<dyn Store> {
        Arc::new(self.0.beside())
    }
}

macro_rules! tests {
    ($($group:ident { $($module:ident::$name:ident [$($need:ident)?],)* })*) => {
        $(mod $group {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::run_one(&super::Memory, stringify!($group), stringify!($name)).await;
            })*
        })*
    };
}

hub_store::for_each_case!(tests);
