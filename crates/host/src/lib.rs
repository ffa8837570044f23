//! Every effect: processes, files, archives, images, network, observation of a node.
