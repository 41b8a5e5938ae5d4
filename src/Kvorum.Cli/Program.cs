using System.CommandLine;
using Kvorum.Cli;
using Kvorum.Cli.Commands;

// One binary: a local cluster (up), one node of a cluster (serve), and the commands of a client.
var root = new RootCommand("Kvorum: a distributed, linearizable key-value store on Raft.")
{
    UpCommand.Create(),
    ServeCommand.Create(),
    PutCommand.Create(),
    GetCommand.Create(),
    AppendCommand.Create(),
    DelCommand.Create(),
    StatusCommand.Create(),
    MemberCommand.Create(),
    LeaderCommand.Create(),
    BenchCommand.Create(),
    SimCommand.Create(),
    VerifyCommand.Create(),
};

return await CommandLine.RunAsync(root, args);
