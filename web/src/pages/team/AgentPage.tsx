export default function AgentPage() { return null; }
