//! Network namespaces, links, processes and captures of a running lab.
