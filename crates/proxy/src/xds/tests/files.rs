//! Files with resources.

use std::path::{Path, PathBuf};

use sandgate_config::model::ConfigSourceKind;

use super::fixture::{Fixture, api, eventually};
use super::{anywhere, run};
use crate::xds::{Names, ResourceType::Cluster};

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandgate-xds-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("inner")).unwrap();
        Self(path)
    }

    /// Puts a file with one cluster in its place, as those do it who want to be noticed.
    fn replace(&self, version: &str, cluster: &str) {
        self.replace_text(&format!(
            "version_info: {version}\nresources:\n- '@type': {}\n  name: {cluster}\n",
            Cluster.type_url()
        ));
    }

    fn replace_text(&self, text: &str) {
        let other = self.0.join("other");
        std::fs::write(&other, text).unwrap();
        std::fs::rename(&other, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.join("cds.yaml")
    }

    fn source(&self, watched_directory: Option<&Path>) -> ConfigSourceKind {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        ConfigSourceKind::Path { path: text(&self.file()), watched_directory: watched_directory.map(text) }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_read_again_once_it_is_replaced() {
    run(async {
        let directory = Directory::new("replaced");
        let fixture = Fixture::new(anywhere(), api(false));
        directory.replace("v1", "a");
        let subscribe = |source| fixture.subscribe(source, None, Cluster, Names::Wildcard, "cds.");
        let (clusters, subscription) = subscribe(directory.source(None));
        clusters.told(1).await;
        assert_eq!(clusters.last(), ["a"]);
        // xxHash64 of "v1" as Envoy shows it.
        assert_eq!(fixture.stat("cds.version"), 9_194_640_092_791_331_756);
        directory.replace("v2", "b");
        clusters.told(2).await;
        assert_eq!(clusters.last(), ["b"]);
        directory.replace_text("resources: [");
        fixture.reaches("cds.update_failure", 1).await;
        clusters.refuses.replace(Some("no".to_owned()));
        directory.replace("v3", "c");
        fixture.reaches("cds.update_rejected", 1).await;
        clusters.refuses.replace(None);
        directory.replace_text(
            "version_info: v4\nresources:\n- '@type': type.googleapis.com/envoy.config.listener.v3.Listener\n",
        );
        fixture.reaches("cds.update_rejected", 2).await;
        // Nobody sees what is written in place.
        std::fs::write(directory.file(), "resources: [").unwrap();
        directory.replace("v5", "d");
        clusters.told(4).await;
        assert_eq!((clusters.last(), clusters.timeouts.get()), (vec!["d".to_owned()], 0));
        let stat = |name: &str| fixture.stat(&format!("cds.{name}"));
        assert_eq!((stat("update_attempt"), stat("update_success"), stat("update_failure")), (6, 3, 1));
        drop(subscription);
        directory.replace("v6", "e");
        let (again, _cds) = subscribe(directory.source(None));
        again.told(1).await;
        clusters.told(4).await;
    });
}

#[test]
fn a_move_in_another_directory_may_count() {
    run(async {
        let directory = Directory::new("watched");
        let fixture = Fixture::new(anywhere(), api(false));
        let watched = directory.0.join("inner");
        let source = directory.source(Some(&watched));
        let (clusters, _cds) = fixture.subscribe(source, None, Cluster, Names::Wildcard, "cds.");
        // There is no file yet: nobody waits for it.
        eventually("nothing to wait for", || clusters.timeouts.get() == 1).await;
        directory.replace("v1", "a");
        std::fs::write(directory.0.join("token"), "").unwrap();
        std::fs::rename(directory.0.join("token"), watched.join("token")).unwrap();
        clusters.told(1).await;
        assert_eq!((clusters.last(), fixture.stat("cds.update_failure")), (vec!["a".to_owned()], 1));
    });
}
