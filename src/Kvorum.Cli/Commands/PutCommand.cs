using System.CommandLine;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum put KEY VALUE': writes the bytes of a value.</summary>
internal static class PutCommand
{
    public static Command Create()
    {
        var key = new Argument<string>("KEY") { Description = "The key." };
        var value = new Argument<string>("VALUE") { Description = "The value; '-' reads it from stdin, byte for byte." };
        var client = new ClientOptions();
        var command = new Command("put", "Write a key. Prints OK when a majority has it on disk.") { key, value };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var path = KeyCalls.PathOf(parsed.GetRequiredValue(key));
            var body = await ValueInput.ReadAsync(parsed.GetRequiredValue(value), cancel).ConfigureAwait(false);
            using var cluster = client.Connect(parsed);
            var call = new Call(HttpMethod.Put, path, IsWrite: true) { Body = body };
            KeyCalls.Demand(await cluster.SendAsync(call, cancel).ConfigureAwait(false));
            Console.WriteLine("OK");
            return ExitCode.Done;
        });
        return command;
    }
}
