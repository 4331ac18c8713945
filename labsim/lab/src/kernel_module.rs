//! What helps where the kernel lacks something that comes with a module.

use std::path::Path;

/// Whether this kernel loads modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loading {
    /// It does.
    Possible,
    /// It was built without them (CONFIG_MODULES): it has no `/proc/modules`.
    NotBuilt,
    /// It has been told to load no more until it is booted again (`kernel.modules_disabled`).
    Disabled,
}

/// What helps: modules as arguments of modprobe(8).
pub(crate) fn how_to_load(modules: &str) -> String {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/modules_disabled");
    let loading = match disabled {
        Ok(value) if value.trim() == "1" => Loading::Disabled,
        _ if Path::new("/proc/modules").exists() => Loading::Possible,
        _ => Loading::NotBuilt,
    };
    remedy(modules, loading)
}

fn remedy(modules: &str, loading: Loading) -> String {
    match loading {
        Loading::Possible => format!("load the module with `modprobe {modules}`"),
        Loading::NotBuilt => {
            let names = modules.trim_start_matches("-a ");
            format!("use a kernel that has it ({names}); this one loads no modules")
        }
        Loading::Disabled => format!(
            "boot again and load the module first, with `modprobe {modules}`: this kernel has been told to load \
             no more (kernel.modules_disabled)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_to_be_loaded_into_a_kernel_without_modules() {
        assert_eq!(remedy("ipip", Loading::Possible), "load the module with `modprobe ipip`");
        let other = remedy("-a nf_tables nft_ct", Loading::NotBuilt);
        assert_eq!(other, "use a kernel that has it (nf_tables nft_ct); this one loads no modules");
        assert!(remedy("ipip", Loading::Disabled).contains("boot again"));
    }
}
