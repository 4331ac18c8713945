//! The folder of a process that the kernel refuses a mount: among the temporary files.

use labsim_sys::private_folder::{OWNER_ONLY, parent_folders};
use nix::unistd::mkdtemp;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder among the temporary files. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(in crate::process) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes one that only the owner can enter (mkdtemp(3)).
    pub(super) fn create() -> io::Result<Self> {
        Ok(Self(mkdtemp(&std::env::temp_dir().join("labsim-XXXXXX"))?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn fill(&self, texts: &BTreeMap<PathBuf, String>) -> io::Result<()> {
        for folder in parent_folders(texts) {
            DirBuilder::new().mode(OWNER_ONLY).create(self.0.join(folder))?;
        }
        for (name, text) in texts {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(OWNER_ONLY);
            options.open(self.0.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The process is gone; whatever it forbade itself is the user's own doing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_temporary_folder_is_its_owners_alone_and_goes_with_its_handle() {
        let folder = TemporaryFolder::create().unwrap();
        let texts = BTreeMap::from([(PathBuf::from("a/b/c"), "text".to_owned())]);
        folder.fill(&texts).unwrap();
        let path = folder.path().to_owned();
        for (name, content) in [("", None), ("a", None), ("a/b", None), ("a/b/c", Some("text"))] {
            let mode = std::fs::metadata(path.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, OWNER_ONLY, "{name}");
            if let Some(content) = content {
                assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), content);
            }
        }
        drop(folder);
        assert!(!path.exists());
    }
}
